"""Where new leads enter a list, and which leads are new, without any I/O.

The order of the list is not documented and can be told only from what it shows. Nothing here is a proof of
completeness (that is :mod:`airflow_provider_sela.snapshot`): users of this module look again later by a way
that does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Any, NamedTuple

from airflow_provider_sela.api import Page
from airflow_provider_sela.exceptions import SelaPageGoneError
from airflow_provider_sela.leads import Lead
from airflow_provider_sela.snapshot.orders import Evidence
from airflow_provider_sela.snapshot.pages import Entry

_DEEPEST = 10
_KNOWN = 5_000
_ENOUGH = 8


class NewEnd:
    """Reads the end of a list where new leads appear, down to what was seen there before.

    Each page removes the orders that it contradicts. As long as all orders that are left bring new leads to
    the same end, that end is read; a reading that reaches a lead seen before, unchanged, holds everything
    that came after that lead.

    A dialogue: :meth:`start`, then read :attr:`page` and hand it to :meth:`record` until it is None.

    :param seen: leads seen at this end before, from an earlier process.
    :ivar page: number of the page that is wanted, None when a reading is over.
    :ivar leads: the leads of this reading.
    :ivar joined: this reading reaches what was seen before, or is the whole list.
    :ivar whole: this reading is the whole list in one answer.
    """

    def __init__(self, seen: Iterable[Entry] = ()) -> None:
        self.page: int | None = None
        self.leads: list[Lead] = []
        self.joined = False
        self.whole = False
        self._evidence = Evidence()
        self._known: dict[Entry, None] = dict.fromkeys(seen)
        self._baseline = not self._known
        self._count = 0
        self._size = 0
        self._pages: set[int] = set()
        self._gone = False

    @property
    def ascending(self) -> bool | None:
        """Whether new leads come last; None where the order is not known."""
        directions = {not order.descending for order in self._evidence.supported()}
        return directions.pop() if len(directions) == 1 else None

    @property
    def unordered(self) -> bool:
        """The list contradicts every order that is known here; this does not change any more."""
        return not any(self._evidence.plain())

    @property
    def by_id(self) -> bool:
        """Whether the list can be sorted by id."""
        return any(order.key == "id" for order in self._evidence.supported())

    @property
    def shows_changes(self) -> bool:
        """Whether a lead that changes moves to the new end."""
        orders = self._evidence.supported()
        return bool(orders) and all(order.mutable for order in orders)

    def start(self) -> None:
        """Begin a reading."""
        self.leads, self._pages = [], set()
        self.joined = self.whole = self._gone = False
        self._baseline = not self._known
        self.page = self._last() if self.ascending and self._size else 1

    def record(self, page: Page) -> None:
        """Take the wanted page."""
        number = self.page or 1
        self._pages.add(number)
        self._count = page.count
        if page.next_page is not None:
            self._size = page.rows
        entries = [Entry.of(lead) for lead in page.leads]
        self._evidence.show(entries)
        self.leads += page.leads
        self.whole = number == 1 and page.next_page is None
        self.joined = self.joined or self.whole or any(item in self._known for item in entries)
        self.page = self._next(number, page.next_page)
        if self.page is None:
            self._remember()

    def gone(self) -> None:
        """The wanted page does not exist: the list shrank, and is read from page 1.

        :raises SelaPageGoneError: for the second time in one reading, although page 1 counts leads for it.
        """
        if self._gone:
            raise SelaPageGoneError(
                f"HTTP 404 for page {self.page}, while page 1 counts leads for it: look again later"
            )
        self._gone = True
        self.leads, self._pages, self.joined = [], set(), False
        self.page = 1

    def _next(self, number: int, following: int | None) -> int | None:
        if self.whole or len(self._pages) >= _DEEPEST:
            return None
        up = self.ascending
        if up is None:
            self.joined = False
            return None
        if not up:
            return None if self._enough() or following is None else following
        if following is not None and number == 1 and len(self._pages) == 1:
            # The first page was read only to learn the order; it is not the end.
            self.leads, self._pages = [], set()
            return self._last()
        if following is not None and following not in self._pages:
            return following
        lowest = min(self._pages)
        return None if self._enough() or lowest == 1 else lowest - 1

    def _enough(self) -> bool:
        return len(self.leads) >= _ENOUGH if self._baseline else self.joined

    def _last(self) -> int:
        return max(1, ceil(self._count / self._size))

    def _remember(self) -> None:
        for item in map(Entry.of, self.leads):
            self._known.pop(item, None)
            self._known[item] = None
        for old in list(self._known)[:-_KNOWN]:
            del self._known[old]


class Fresh(NamedTuple):
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

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._ids = _Mark(limit)
        self._changes = _Mark(limit)

    def baseline(self, entries: Iterable[Entry], *, whole: bool) -> None:
        """Count these leads as known, and all with a lower id.

        :param whole: these are all leads there are: an id below all of them would be new.
        """
        entries = list(entries)
        self._ids.begin([(item.id,) for item in entries], whole)
        self._changes.begin(
            [(item.modified, item.id) for item in entries if item.modified is not None], whole
        )

    def take(self, entries: Iterable[Entry]) -> Fresh:
        """Count these leads as known and say which were not."""
        entries = list(entries)
        new = {key[0] for key in self._ids.take((item.id,) for item in entries)}
        keys = ((item.modified, item.id) for item in entries if item.modified is not None)
        changed = {key[1] for key in self._changes.take(keys)} - new
        return Fresh(sorted(new), sorted(changed))

    def joins(self, entries: Iterable[Entry]) -> bool:
        """Whether one of these leads is known in exactly this version."""
        return any((item.modified, item.id) in self._changes.above for item in entries)

    def dump(self) -> dict[str, Any]:
        """Plain data for :meth:`load`."""
        return {"ids": self._ids.dump(), "changes": self._changes.dump()}

    @classmethod
    def load(cls, data: Any, limit: int = 500) -> Cursor:
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


class _Mark:
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
