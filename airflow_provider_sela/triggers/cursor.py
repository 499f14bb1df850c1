"""Which leads a watch knows, in a form that can be stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from airflow_provider_sela.snapshot.windows import Entry

_REMEMBERED_KEYS = 500


class Changes(NamedTuple):
    """Ids that a cursor had not seen, ascending, and those that it had seen in another version."""

    new: list[int]
    changed: list[int]


class Cursor:
    """Which leads are known, in a few kilobytes, so that it can be stored.

    A lead is new if its id is above ``floor`` and not among the known ones; the floor follows the highest id
    at a distance of ``limit`` ids, so that a lead with a lower id that shows up late is still found.
    Likewise for changes, by ``modified_time``. Ids grow as leads are created, in whatever order the list is.

    :param limit: leads above each floor that are remembered one by one.
    """

    def __init__(self, limit: int = _REMEMBERED_KEYS) -> None:
        self._ids = _Watermark(limit)
        self._changes = _Watermark(limit)

    def baseline(self, entries: Iterable[Entry], *, whole: bool) -> None:
        """Count these leads as known, and all with a lower id.

        :param whole: these are all leads there are: an id below all of them would be new.
        """
        entries = list(entries)
        self._ids.begin([(item.id,) for item in entries], whole)
        self._changes.begin(
            [(item.modified, item.id) for item in entries if item.modified is not None], whole
        )

    def take(self, entries: Iterable[Entry]) -> Changes:
        """Count these leads as known and say which were not."""
        entries = list(entries)
        new = {key[0] for key in self._ids.take((item.id,) for item in entries)}
        keys = ((item.modified, item.id) for item in entries if item.modified is not None)
        changed = {key[1] for key in self._changes.take(keys)} - new
        return Changes(sorted(new), sorted(changed))

    def joins(self, entries: Iterable[Entry]) -> bool:
        """Whether one of these leads is known in exactly this version."""
        return any((item.modified, item.id) in self._changes.above for item in entries)

    def dump(self) -> dict[str, Any]:
        """Plain data for :meth:`load`."""
        return {"ids": self._ids.dump(), "changes": self._changes.dump()}

    @classmethod
    def load(cls, data: Any, limit: int = _REMEMBERED_KEYS) -> Cursor:
        """A cursor from stored data.

        :raises ValueError: this is not what :meth:`dump` gave.
        """
        cursor = cls(limit)
        try:
            cursor._ids.load(data["ids"])
            cursor._changes.load(data["changes"])
        except (TypeError, KeyError, ValueError):
            raise ValueError("not a stored cursor") from None
        return cursor


_Key = tuple[int, ...]


class _Watermark:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.floor: _Key = ()
        self.above: set[_Key] = set()

    def begin(self, keys: list[_Key], whole: bool) -> None:
        self.floor = () if whole or not keys else min(keys)
        self.above = set(keys)
        self._trim()

    def take(self, keys: Iterable[_Key]) -> set[_Key]:
        fresh = {key for key in keys if key > self.floor} - self.above
        self.above |= fresh
        self._trim()
        return fresh

    def dump(self) -> list[Any]:
        return [list(self.floor), sorted(map(list, self.above))]

    def load(self, data: Any) -> None:
        floor, above = data
        self.floor, self.above = tuple(floor), {tuple(key) for key in above}

    def _trim(self) -> None:
        if len(self.above) > self._limit:
            kept = sorted(self.above)
            self.floor = kept[-self._limit - 1]
            self.above = set(kept[-self._limit :])
