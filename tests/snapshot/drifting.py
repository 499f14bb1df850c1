"""A list of leads that moves while it is read, and that knows what was true: no transport, no real clock.

A seeded writer acts before the server counts, between its count and its rows, and after them. The answer is
that of Django REST Framework: rows are taken up to a count that may be older than they are.
"""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_sela.snapshot import Entry, Window

SECOND = 1_000_000
START = 1_750_000_000 * SECOND
HONEST = ("id", "-id", "created_time", "-created_time", "modified_time", "-modified_time")
LIARS = ("heap, updates to the end", "heap, updates anywhere", "rotating start", "status")
STATUSES = ("CLOSED", "NEW", "OPEN")


@dataclass(frozen=True)
class Habits:
    """How the list is written to.

    :param writes: mean number of writes per request.
    :param update: weight of a change that sets ``modified_time``.
    :param silent: weight of one that does not, as Django's ``QuerySet.update()``.
    :param insert: weight of a new lead.
    :param delete: weight of a deleted one.
    :param between: share of the writes that fall between count and rows.
    :param late: longest time, in microseconds, by which a time precedes the moment it is written.
    :param future: share of writes that are dated an hour ahead.
    :param grain: times are rounded to so many microseconds; a coarse grain makes ties.
    :param request: duration of a request, in microseconds.
    :param infancy: requests for which a new lead is not deleted.
    """

    writes: float = 0.0
    update: float = 55
    silent: float = 5
    insert: float = 25
    delete: float = 15
    between: float = 1 / 3
    late: int = 0
    future: float = 0.0
    grain: int = 1
    request: int = SECOND // 10
    infancy: int = 3


@dataclass(slots=True)
class Row:
    """A lead: what an answer shows of it, and what decides where it stands."""

    id: int
    created: int
    modified: int
    status: str
    born: int
    place: float


@dataclass(frozen=True)
class Answer:
    """One answer of the list, ready for any transport."""

    entries: list[Entry]
    count: int
    has_next: bool
    date: int
    gone: bool = False


class DriftingList:
    """The list.

    :param order: one of :data:`HONEST` or :data:`LIARS`.
    :param leads: how many it holds at first.
    :param cap: greatest page size; also the default one.
    :param habits: how it is written to.
    :param shuffled_ties: whether leads with equal keys come in another order in every answer.
    :param honours_page_size: whether it does.
    :param seed: makes everything repeatable.
    :ivar changes: the later values of each lead's ``modified_time``.
    """

    def __init__(
        self,
        order: str,
        *,
        leads: int,
        cap: int = 100,
        habits: Habits | None = None,
        shuffled_ties: bool = False,
        honours_page_size: bool = True,
        seed: int = 0,
    ) -> None:
        self.order = order
        self.cap = cap
        self.habits = habits or Habits()
        self.now = START
        self.requests = 0
        self.deleted: set[int] = set()
        self.changes: dict[int, list[int]] = {}
        self._shuffled_ties = shuffled_ties
        self._honours_page_size = honours_page_size
        self._random = random.Random(seed)  # noqa: S311
        self._next_id = 1
        self._rotation = 0
        self._key = self._sort_key()
        times = [START - self._random.randrange(1, 400 * 86_400 * SECOND) for _ in range(leads)]
        if "created" not in order:
            times.sort()  # otherwise ids say nothing of the order, as after an import of older leads
        self._rows = sorted(
            (self._row(created, touched=self._random.random() < 0.7) for created in times), key=self._key
        )
        self._first = {row.id for row in self._rows}

    @property
    def stable(self) -> set[int]:
        """Ids of the leads that have existed since the beginning."""
        return self._first - self.deleted

    def __len__(self) -> int:
        return len(self._rows)

    def answer(self, window: Window) -> Answer:
        """Answer one request; the writer acts meanwhile."""
        habits = self.habits
        outside = (1 - habits.between) / 2
        self.requests += 1
        self._pass_time(outside)
        count = len(self._rows)
        self._pass_time(habits.between)
        size = min(window.page_size, self.cap) if self._honours_page_size else self.cap
        bottom = (window.page - 1) * size
        top = bottom + size
        gone = bottom >= count and window.page > 1
        rows = [] if gone else self._slice(bottom, min(top, count))
        entries = [Entry(row.id, row.created, row.modified) for row in rows]
        self._pass_time(outside)
        return Answer(entries, count, top < count, self.now // SECOND * SECOND, gone)

    def write(self) -> None:
        """Write once."""
        habits = self.habits
        weights = (habits.update, habits.silent, habits.insert, habits.delete)
        match self._random.choices(("update", "silent", "insert", "delete"), weights)[0]:
            case "insert":
                self._insert()
            case "delete" if self._rows:
                self._delete()
            case "update" if self._rows:
                self._update()

    def _pass_time(self, share: float) -> None:
        mean, length = self.habits.writes * share, self.habits.request * share
        number = self._poisson(mean)
        begin = self.now
        for moment in sorted(self._random.random() for _ in range(number)):
            self.now = begin + int(length * moment)
            self.write()
        self.now = begin + int(length)

    def _poisson(self, mean: float) -> int:
        number, left = 0, self._random.expovariate(1.0)
        while left < mean:
            number, left = number + 1, left + self._random.expovariate(1.0)
        return number

    def _stamp(self) -> int:
        habits = self.habits
        if habits.future and self._random.random() < habits.future:
            return self.now + 3600 * SECOND
        late = self._random.randrange(habits.late) if habits.late else 0
        return (self.now - late) // habits.grain * habits.grain

    def _row(self, created: int, *, touched: bool = False) -> Row:
        grain = self.habits.grain
        created = created // grain * grain
        modified = created + self._random.randrange(0, max(START - created, 1)) if touched else created
        status = self._random.choice(STATUSES)
        place = float(self._next_id)
        row = Row(self._next_id, created, modified // grain * grain, status, self.requests, place)
        self._next_id += 1
        return row

    def _insert(self) -> None:
        row = self._row(self._stamp())
        if self.order == "heap, updates anywhere" and self._rows and self._random.random() < 0.5:
            row.place = self._somewhere()
        insort(self._rows, row, key=self._key)

    def _delete(self) -> None:
        for _ in range(20):
            index = self._random.randrange(len(self._rows))
            if self._rows[index].born + self.habits.infancy <= self.requests or not self._rows[index].born:
                self.deleted.add(self._rows.pop(index).id)
                return

    def _update(self) -> None:
        row = self._rows.pop(self._random.randrange(len(self._rows)))
        row.modified = self._stamp()
        self.changes.setdefault(row.id, []).append(row.modified)
        row.status = self._random.choice(STATUSES)
        if self.order == "heap, updates to the end":
            row.place = self._next_id + self.now / START
        elif self.order == "heap, updates anywhere":
            row.place = self._somewhere()
        insort(self._rows, row, key=self._key)

    def _somewhere(self) -> float:
        return self._random.uniform(0, self._next_id)

    def _sort_key(self) -> Callable[[Row], tuple[float, ...]]:
        match self.order:
            case "id" | "rotating start":
                return lambda row: (row.id,)
            case "-id":
                return lambda row: (-row.id,)
            case "created_time":
                return lambda row: (row.created, row.id)
            case "-created_time":
                return lambda row: (-row.created, -row.id)
            case "modified_time":
                return lambda row: (row.modified, row.id)
            case "-modified_time":
                return lambda row: (-row.modified, -row.id)
            case "status":
                return lambda row: (STATUSES.index(row.status), row.id)
            case "heap, updates to the end" | "heap, updates anywhere":
                return lambda row: (row.place,)
        raise ValueError(self.order)

    def _slice(self, bottom: int, top: int) -> list[Row]:
        if self.order == "rotating start":
            self._rotation += self._random.randrange(len(self._rows) + 1)
            start = self._rotation % max(len(self._rows), 1)
            return (self._rows[start:] + self._rows[:start])[bottom:top]
        if not self._shuffled_ties:
            return self._rows[bottom:top]
        first, last = bottom, min(top, len(self._rows))
        while first > 0 and self._tied(first - 1, first):
            first -= 1
        while last < len(self._rows) and self._tied(last - 1, last):
            last += 1
        shuffled = sorted(self._rows[first:last], key=lambda row: (self._key(row)[0], self._random.random()))
        return shuffled[bottom - first : top - first]

    def _tied(self, one: int, other: int) -> bool:
        return 0 <= one < other < len(self._rows) and (
            self._key(self._rows[one])[0] == self._key(self._rows[other])[0]
        )
