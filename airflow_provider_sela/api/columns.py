"""Leads of an answer as columns: what is known of each beside its place, without an object for each."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
#: Stands for a time that is missing or malformed.
MISSING = -(2**63)


class Columns(Sequence[T]):
    """Ids and times of leads; what stands for a lead is made when somebody asks for it.

    :param ids: Sela's own keys.
    :param created: values of ``created_time``, microseconds since the epoch, or :data:`MISSING`.
    :param modified: values of ``modified_time``, likewise.
    """

    def __init__(self, ids: list[int], created: array[int], modified: array[int]) -> None:
        self.ids = ids
        self.created = created
        self.modified = modified

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self._made(each) for each in range(*place.indices(len(self)))]
        return self._made(range(len(self))[place])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @abstractmethod
    def _made(self, place: int) -> T:
        """What stands for the lead at a place."""

    def _times(self, place: int) -> tuple[int | None, int | None]:
        created, modified = self.created[place], self.modified[place]
        return None if created == MISSING else created, None if modified == MISSING else modified


def time_column(times: Iterable[int | None]) -> array[int]:
    """A column of times, of which None is missing or malformed."""
    return array("q", [MISSING if time is None else time for time in times])
