"""What is asked and what comes back: windows of ranks, and the responses to them.

A lead's rank is its place in the list at one moment, from 0. Ranks move while the list is read; that is why
nothing is ever concluded from a rank alone, except from rank 0 and from the end.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from airflow_provider_sela.api.columns import MISSING, Columns, time_column
from airflow_provider_sela.api.leads import Lead, microseconds

Key = Literal["id", "created_time", "modified_time"]


class Window(NamedTuple):
    """A request: ``page`` from 1, ``page_size`` in leads."""

    page: int
    page_size: int

    @property
    def offset(self) -> int:
        """Rank of the first lead that is asked for."""
        return (self.page - 1) * self.page_size

    @property
    def stop(self) -> int:
        """Rank after the last lead that is asked for."""
        return self.page * self.page_size


class Entry(NamedTuple):
    """What the proof needs of a lead; times in microseconds since the epoch, None if missing or malformed."""

    id: int
    created: int | None
    modified: int | None

    @classmethod
    def from_lead(cls, lead: Lead) -> Entry:
        """What the proof needs of this one."""
        created, modified = microseconds(lead.get("created_time")), microseconds(lead.get("modified_time"))
        return cls(lead["id"], created, modified)


class Entries(Columns[Entry]):
    """What the proof needs of the leads of an answer."""

    @classmethod
    def from_entries(cls, entries: Sequence[Entry]) -> Entries:
        """Entries as columns, if they are none yet."""
        if isinstance(entries, Entries):
            return entries
        ids, created, modified = zip(*entries, strict=True) if entries else ((), (), ())
        return cls(list(ids), time_column(created), time_column(modified))

    def _made(self, place: int) -> Entry:
        return Entry(self.ids[place], *self._times(place))


class Shape(NamedTuple):
    """How the values of one key follow each other in a response, those that are missing aside.

    :param rising: each is as great as the one before, or greater.
    :param falling: each is as small, or smaller.
    :param distinct: no two are equal.
    """

    rising: bool
    falling: bool
    distinct: bool


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, as the driver saw it.

    :param window: what was asked.
    :param entries: the leads, in the order of the answer.
    :param count: length of the list, as the answer says.
    :param has_next: whether the answer names a next page.
    :param date: its ``Date`` header, microseconds since the epoch; None if there is none.
    :param started: tick of a logical clock, taken right before the request was sent.
    :param ended: tick of the same clock, taken when the answer was there. A request whose ``started`` is
        above another's ``ended`` was sent after the other was answered; nothing else is read from ticks.
    :param gone: the server answered 404: the list ends before this page. The other fields are then ignored.
    :param rejected: results without a usable id. They are no entries but do take up ranks.
    :param age: its ``Age`` header, in seconds; 0 if there is none.
    :param expires: until when a cache may give it again, microseconds since the epoch; None if nobody says.
    :param took: microseconds from before the request was sent until the answer was there; None if nobody
        has measured them.
    """

    window: Window
    entries: Sequence[Entry]
    count: int
    has_next: bool
    date: int | None
    started: int
    ended: int
    gone: bool = False
    rejected: int = 0
    age: int = 0
    expires: int | None = None
    took: int | None = None


class Observation:
    """A response as it is kept: 24 bytes a lead, in three arrays.

    :ivar sent: the time before which its leads were not taken, by the clock that wrote its ``Date``;
        ``MISSING`` where that is not known.
    """

    __slots__ = (
        "_columns", "_keys", "_shapes", "count", "date", "ended", "has_next", "newest", "oldest", "rows",
        "sent", "started", "stored", "twice", "window",
    )  # fmt: skip

    def __init__(self, response: Response) -> None:
        self.window = response.window
        self.count = response.count
        self.has_next = response.has_next
        self.date = response.date
        self.sent = MISSING
        if response.date is not None and response.took is not None:
            self.sent = response.date - response.took
        self.started = response.started
        self.ended = response.ended
        self.rows = len(response.entries) + response.rejected
        self.stored = response.age > 0 or (response.expires or 0) > (response.date or 0)
        entries = Entries.from_entries(response.entries)
        self._columns: dict[Key, array[int]] = {
            "id": array("q", entries.ids),
            "created_time": entries.created,
            "modified_time": entries.modified,
        }
        self._keys: dict[Key, Sequence[int]] = {}
        self._shapes: dict[Key, Shape] = {}
        self.twice = len(entries) - len(set(entries.ids))
        modified = self.keys("modified_time")
        self.newest = max(modified, default=MISSING)
        self.oldest = min(modified, default=-MISSING)

    def column(self, key: Key) -> array[int]:
        """Values of one key from first to last, ``MISSING`` where there is none."""
        return self._columns[key]

    def keys(self, key: Key) -> Sequence[int]:
        """The same without those that are missing; the column itself where none is."""
        if key not in self._keys:
            column = self._columns[key]
            gapped = MISSING in column
            self._keys[key] = [value for value in column if value != MISSING] if gapped else column
        return self._keys[key]

    def shape(self, key: Key) -> Shape:
        """How they follow each other; looked at once for all orders."""
        if key not in self._shapes:
            keys = list(self.keys(key))
            ordered = sorted(keys)
            rising, falling = keys == ordered, keys == ordered[::-1]
            self._shapes[key] = Shape(rising, falling, len(set(keys)) == len(keys))
        return self._shapes[key]

    def highest(self, key: Key) -> int:
        """The greatest of them, ``MISSING`` where there is none."""
        keys, shape = self.keys(key), self._shapes.get(key)
        if shape and keys and (shape.rising or shape.falling):
            return max(keys[0], keys[-1])
        return max(keys, default=MISSING)

    @property
    def ids(self) -> array[int]:
        return self._columns["id"]

    @property
    def limited(self) -> bool:
        """Whether no page follows although the server counts more leads than all pages so far can hold: it
        pages only so far."""
        return not self.has_next and self.count > self.window.stop

    @property
    def claims_end(self) -> bool:
        """Whether this response says that nothing follows; ``proof`` tells when that is to be believed."""
        return not self.has_next and not self.limited

    @property
    def short(self) -> bool:
        """Whether the list ended inside this response, for certain.

        The server counts the list, then takes the rows of the last page up to that count. Fewer rows than
        that can only mean that the list itself ended there when they were taken.
        """
        return self.claims_end and self.rows < self.count - self.window.offset

    @property
    def length(self) -> int:
        """Length of the list: when the rows were taken if that is known, else when it was counted."""
        return self.window.offset + self.rows if self.short else self.count
