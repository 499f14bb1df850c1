"""A list that is watched, served by something that is not what it seems: no transport, no real clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.triggers.cursor import Cursor
from airflow_provider_sela.triggers.list_watch import ListWatch

INTERVAL = 60.0
START = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = 20
#: When the first lead was created; the others of the beginning followed one a second.
LONG_AGO = -1e6
HONEST = ("id", "-id", "created_time", "-created_time", "modified_time", "-modified_time")


@dataclass
class Row:
    """A lead and what decides where it stands; times in seconds."""

    id: int
    created: float
    modified: float
    pinned: bool = False
    queued: float = 0.0


@dataclass
class WatchedList:
    """The list.

    :param order: one of :data:`HONEST`; ``pinned``: some leads first, then ``-id``; ``queue``: by a key that
        answers do not show.
    :param leads: how many it holds at first.
    :param pinned: so many of them come first in the order ``pinned``.
    :param during: what happens before each request, beside what happens between two looks.
    :param lag: looks by which ``count`` is behind.
    :param step: distance of two ids.
    """

    order: str = "-id"
    leads: int = 400
    pinned: int = 40
    during: Callable[[WatchedList], None] | None = None
    lag: int = 0
    step: int = 1
    seed: int = 0
    now: float = 0.0
    requests: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311
        self.next_id = 1
        self._ordered: list[Row] = []
        for number in range(self.leads):
            row = self.create(LONG_AGO + number)
            row.pinned = self.order == "pinned" and number < self.pinned
        for row in self.chance.sample(list(self.rows.values()), self.leads // 3):
            row.modified = row.created + self.chance.random()

    def create(self, created: float | None = None, number: int | None = None) -> Row:
        """A new lead, dated now unless told otherwise."""
        if number is None:
            number, self.next_id = self.next_id, self.next_id + self.step
        moment = self._tick() if created is None else created
        row = self.rows[number] = Row(number, moment, moment, queued=self.chance.random())
        self._ordered = []
        return row

    def backdate(self) -> None:
        """A new lead, dated between two that were there in the beginning."""
        self.create(LONG_AGO + self.chance.randrange(self.leads // 2) + 0.5)

    def reserve(self, leads: int) -> list[int]:
        """Ids of leads that a transaction will write later."""
        ids = list(range(self.next_id, self.next_id + leads * self.step, self.step))
        self.next_id += leads * self.step
        return ids

    def change(self) -> None:
        """Change a lead, any one."""
        row = self.chance.choice(list(self.rows.values()))
        row.modified = self._tick()
        self._ordered = []

    def delete(self) -> None:
        """Delete a lead, any one."""
        del self.rows[self.chance.choice(list(self.rows))]
        self._ordered = []

    def page(self, number: int) -> Page[Lead] | None:
        """Answer one request; None for a page that does not exist."""
        self.requests += 1
        if self.during is not None:
            self.during(self)
        self._ordered = ordered = self._ordered or sorted(self.rows.values(), key=self._key)
        first = (number - 1) * SIZE
        if number > 1 and first >= len(ordered):
            return None
        self.counts.append(len(ordered))
        count = self.counts[0] if self.lag else len(ordered)
        leads: list[Any] = [
            {"id": row.id, "created_time": _iso(row.created), "modified_time": _iso(row.modified)}
            for row in ordered[first : first + SIZE]
        ]
        return Page(count, number + 1 if first + SIZE < len(ordered) else None, leads)

    def _tick(self) -> float:
        self.now += 0.001
        return self.now

    def _key(self, row: Row) -> tuple[float, ...]:
        sign = -1 if self.order.startswith("-") else 1
        match self.order.removeprefix("-"):
            case "id":
                return (sign * row.id,)
            case "created_time":
                return sign * row.created, sign * row.id
            case "modified_time":
                return sign * row.modified, sign * row.id
            case "pinned":
                return not row.pinned, -row.id
        return row.queued, row.id


@dataclass
class Watched:
    """A watch over a list, look by look, and what it has reported."""

    served: WatchedList
    reported: list[int] = field(default_factory=list)
    whole: int = 0

    def __post_init__(self) -> None:
        self.cursor = Cursor()
        self.watch = ListWatch(INTERVAL, clock=lambda: self.served.now)
        self.look()
        self.reported.clear()
        self.before = set(self.served.rows)

    def look(self) -> None:
        """Look once."""
        watch, served = self.watch, self.served
        watch.start()
        while watch.page is not None:
            page = served.page(watch.page)
            if page is None:
                watch.gone()
            else:
                watch.record(page)
        self.whole += watch.whole
        self.reported += self.cursor.take(watch.entries, whole=watch.whole).new
        if served.lag and len(served.counts) > served.lag:
            del served.counts[: -served.lag]

    def looks(self, number: int) -> Iterator[int]:
        """Look so often; what the caller does in its loop happens before each look."""
        for turn in range(number):
            self.served.now = (self.served.now // INTERVAL + 1) * INTERVAL
            yield turn
            self.look()

    @property
    def missed(self) -> set[int]:
        """Leads that came and were not reported."""
        return self.served.rows.keys() - self.before - set(self.reported)


def _iso(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
