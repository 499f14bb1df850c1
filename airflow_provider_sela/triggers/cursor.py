"""Which leads a watch knows, in a form that can be stored."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

from airflow_provider_sela.snapshot.windows import Entry

#: Stretches of ids that are remembered, each in about ten bytes; ids that follow one another are one stretch.
_REMEMBERED_STRETCHES = 1_000
#: Changes that are remembered one by one, each in about 27 bytes.
_REMEMBERED_CHANGES = 500


class Changes(NamedTuple):
    """Ids that a cursor had not seen, ascending, and those that it had seen in another version."""

    new: list[int]
    changed: list[int]


class Cursor:
    """Which leads are known, in about 25 kilobytes at most, so that it can be stored.

    Ids are known as stretches, and a lead is new if its id lies outside of them: also one that shows up late,
    long after higher ids. Where there are too many stretches, gaps between them are forgotten, the narrowest
    first, but none of the newest half, where leads come late most often, and none above the highest id that
    was known at a whole look. Changes are known by ``modified_time``, the newest ones.

    :param stretches: stretches of ids that are remembered.
    :param changes: changes that are remembered one by one.
    """

    def __init__(self, stretches: int = _REMEMBERED_STRETCHES, changes: int = _REMEMBERED_CHANGES) -> None:
        self._ids = _KnownIds(stretches)
        self._changes = _Watermark(changes)

    def take(self, entries: Iterable[Entry], *, whole: bool) -> Changes:
        """Count these leads as known and say which were not.

        :param whole: these are all leads there are.
        """
        entries = list(entries)
        new = self._ids.take((item.id for item in entries), whole)
        keys = ((item.modified, item.id) for item in entries if item.modified is not None)
        changed = {key[1] for key in self._changes.take(keys)}.difference(new)
        return Changes(new, sorted(changed))

    @property
    def full(self) -> bool:
        """Whether more is remembered than it should be, until a whole look."""
        return self._ids.full

    def dump(self) -> dict[str, Any]:
        """Plain data for :meth:`load`."""
        return {"ids": self._ids.dump(), "changes": self._changes.dump()}

    @classmethod
    def load(
        cls, data: Any, stretches: int = _REMEMBERED_STRETCHES, changes: int = _REMEMBERED_CHANGES
    ) -> Cursor:
        """A cursor from stored data.

        :raises ValueError: this is not what :meth:`dump` gave.
        """
        cursor = cls(stretches, changes)
        try:
            cursor._ids.load(data["ids"])
            cursor._changes.load(data["changes"])
        except (TypeError, KeyError, ValueError):
            raise ValueError("not a stored cursor") from None
        return cursor


class _KnownIds:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._covered: int | None = None
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    @property
    def full(self) -> bool:
        return len(self._firsts) > self._limit

    def take(self, ids: Iterable[int], whole: bool) -> list[int]:
        ids = set(ids)
        new = sorted(key for key in ids if not self._known(key))
        if new:
            self._add(new)
        if whole and self._lasts:
            self._covered = self._lasts[-1]
        self._forget_gaps()
        return new

    def dump(self) -> dict[str, Any]:
        # Distances are shorter than ids: from the end of a stretch to the next, and to its own end.
        distances, before = [], 0
        for first, last in zip(self._firsts, self._lasts, strict=True):
            distances += [first - before, last - first]
            before = last
        return {"covered": self._covered, "stretches": distances}

    def load(self, data: Any) -> None:
        self._covered, before = data["covered"], 0
        for number, distance in enumerate(data["stretches"]):
            before += distance
            (self._lasts if number % 2 else self._firsts).append(before)
        if len(self._firsts) != len(self._lasts) or not isinstance(self._covered, int | None):
            raise ValueError

    def _known(self, key: int) -> bool:
        place = bisect_right(self._firsts, key)
        return place > 0 and key <= self._lasts[place - 1]

    def _add(self, new: list[int]) -> None:
        firsts: list[int] = []
        lasts: list[int] = []
        known = zip(self._firsts, self._lasts, strict=True)
        for first, last in sorted([*known, *((key, key) for key in new)]):
            if lasts and first == lasts[-1] + 1:
                lasts[-1] = last
            else:
                firsts.append(first)
                lasts.append(last)
        self._firsts, self._lasts = firsts, lasts

    def _forget_gaps(self) -> None:
        surplus = len(self._firsts) - self._limit
        if surplus <= 0 or self._covered is None:
            return
        # A gap has the number of the stretch after it.
        older = range(1, min(len(self._firsts) - self._limit // 2, bisect_right(self._firsts, self._covered)))
        narrowest = sorted(older, key=lambda gap: self._firsts[gap] - self._lasts[gap - 1])
        forgotten = set(narrowest[:surplus])
        self._firsts = [first for gap, first in enumerate(self._firsts) if gap not in forgotten]
        self._lasts = [last for gap, last in enumerate(self._lasts, 1) if gap not in forgotten]


_Key = tuple[int, ...]


class _Watermark:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._floor: _Key = ()
        self._above: set[_Key] = set()

    def take(self, keys: Iterable[_Key]) -> set[_Key]:
        new = {key for key in keys if key > self._floor} - self._above
        self._above |= new
        if len(self._above) > self._limit:
            kept = sorted(self._above)
            self._floor = kept[-self._limit - 1]
            self._above = set(kept[-self._limit :])
        return new

    def dump(self) -> list[Any]:
        return [list(self._floor), sorted(map(list, self._above))]

    def load(self, data: Any) -> None:
        floor, above = data
        self._floor, self._above = tuple(floor), {tuple(key) for key in above}
