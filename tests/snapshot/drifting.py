"""A list of leads that moves while it is read, and that knows what was true: no transport, no real clock.

A seeded writer acts before the server counts, between its count and its rows, and after them. The answer is
that of Django REST Framework: rows are taken up to a count that may be older than they are.
"""

from __future__ import annotations

import random
from bisect import insort
from dataclasses import dataclass, replace

from airflow_provider_sela.snapshot.windows import Entry, Window
from tests.snapshot.rows import QUEUES, SECOND, START, STATUSES, Row, sort_key


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
    :param comeback: weight of a deleted lead that returns as it was.
    :param backdated: share of new leads whose times lie years back.
    :param lower: share of new leads whose id is lower than others, as if handed out long ago.
    :param stamped: all leads carry one ``modified_time`` at first, as after a bulk update.
    :param reused: share of new leads that get the id of a deleted one.
    :param clocks: by how much the clocks of the machines differ, in microseconds; each write and each answer
        is dated by any of them.
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
    comeback: float = 0
    backdated: float = 0.0
    lower: float = 0.0
    stamped: bool = False
    reused: float = 0.0
    clocks: int = 0


@dataclass(frozen=True)
class Answer:
    """One answer of the list, ready for any transport."""

    entries: list[Entry]
    count: int
    has_next: bool
    date: int
    gone: bool = False
    age: int = 0
    expires: int | None = None


class DriftingList:
    """The list.

    :param order: see :mod:`tests.snapshot.rows`.
    :param leads: how many it holds at first.
    :param cap: greatest page size; also the default one.
    :param habits: how it is written to.
    :param shuffled_ties: whether leads with equal keys come in another order in every answer.
    :param honours_page_size: whether it does.
    :param seed: makes everything repeatable.
    :ivar added: when each lead was added that was not there at first.
    :ivar shown: when each lead that was written to showed its last change.
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
        self.added: dict[int, int] = {}
        self.shown: dict[int, int] = {}
        self._shuffled_ties = shuffled_ties
        self._honours_page_size = honours_page_size
        self._random = random.Random(seed)  # noqa: S311
        self._next_id = 1
        self._rotation = 0
        self._key = sort_key(order)
        self._left: list[Row] = []
        times = [START - self._random.randrange(1, 400 * 86_400 * SECOND) for _ in range(leads)]
        if "created" not in order:
            times.sort()  # otherwise ids say nothing of the order, as after an import of older leads
        rows = (self._row(created, touched=self._random.random() < 0.7) for created in times)
        if self.habits.stamped:
            rows = (row._replace(modified=START - 3600 * SECOND) for row in rows)
        self._rows = sorted(rows, key=self._key)
        self.begin()

    def begin(self) -> None:
        """From now on it is remembered which leads were there throughout."""
        self._first = {row.id for row in self._rows}
        self.deleted.clear()

    @property
    def stable(self) -> set[int]:
        """Ids of the leads that have existed since the beginning."""
        return self._first - self.deleted

    def rows(self) -> list[Row]:
        """The leads at this moment, in list order."""
        return list(self._rows)

    def sort_by(self, order: str) -> None:
        """Sort in another order from now on."""
        self.order, self._key = order, sort_key(order)
        self._rows.sort(key=self._key)

    def __len__(self) -> int:
        return len(self._rows)

    def answer(self, window: Window) -> Answer:
        """Answer one request; the writer acts meanwhile."""
        outside = (1 - self.habits.between) / 2
        self.requests += 1
        self._pass_time(outside)
        count = self._counted()
        self._pass_time(self.habits.between)
        answer = self._page(window, count)
        self._pass_time(outside)
        return replace(answer, date=self.date())

    def date(self) -> int:
        """The time of the server, as answers tell it."""
        return self._clock() // SECOND * SECOND

    def write(self) -> None:
        """Write once."""
        habits = self.habits
        weights = (habits.update, habits.silent, habits.insert, habits.delete, habits.comeback)
        match self._random.choices(("update", "silent", "insert", "delete", "comeback"), weights)[0]:
            case "insert":
                self._insert()
            case "delete" if self._rows:
                self._delete()
            case "update" if self._rows:
                self._update()
            case "comeback" if self._left:
                row = self._left.pop(0)
                self.shown[row.id] = self.now
                insort(self._rows, row, key=self._key)

    def _counted(self) -> int:
        """What the server says is the length of the list."""
        return len(self._rows)

    def _page(self, window: Window, count: int) -> Answer:
        """The answer of a server that counted so many leads."""
        size = min(window.page_size, self.cap) if self._honours_page_size else self.cap
        bottom = (window.page - 1) * size
        top = bottom + size
        if bottom >= count and window.page > 1:
            return Answer([], count, has_next=False, date=0, gone=True)
        shown = [Entry(row.id, row.created, row.modified) for row in self._slice(bottom, min(top, count))]
        return Answer(shown, count, top < count, date=0)

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

    def _clock(self) -> int:
        """The time that one of the machines tells."""
        apart = self.habits.clocks
        return self.now - (self._random.randrange(apart) if apart else 0)

    def _stamp(self) -> int:
        habits = self.habits
        if habits.future and self._random.random() < habits.future:
            return self.now + 3600 * SECOND
        late = self._random.randrange(habits.late) if habits.late else 0
        return (self._clock() - late) // habits.grain * habits.grain

    def _row(self, created: int, *, touched: bool = False) -> Row:
        grain = self.habits.grain
        created = created // grain * grain
        modified = created + self._random.randrange(0, max(START - created, 1)) if touched else created
        status = self._random.choice(STATUSES)
        row = Row(self._next_id, created, modified // grain * grain, status, self.requests, self._place())
        self._next_id += 5 if self.habits.lower else 1
        return row

    def _place(self) -> float:
        return 0.0 if self.order in QUEUES else float(self._next_id)

    def _insert(self) -> None:
        row = self._row(self._stamp())
        if self.order == "heap, updates anywhere" and self._rows and self._random.random() < 0.5:
            row = row._replace(place=self._somewhere())
        if self.habits.backdated and self._random.random() < self.habits.backdated:
            past = START - self._random.randrange(1, 400 * 86_400 * SECOND)
            row = row._replace(created=past, modified=past)
        if self.habits.lower and self._random.random() < self.habits.lower:
            # Ids are handed out by fives, so that those between are free.
            step = 5 * self._random.randrange(1, len(self._rows) + 2)
            row = row._replace(id=row.id - step + self._random.randrange(1, 5))
        if self.habits.reused and self._random.random() < self.habits.reused and self._left:
            row = row._replace(id=self._left.pop(0).id)
        self.added[row.id] = self.shown[row.id] = self.now
        insort(self._rows, row, key=self._key)

    def _delete(self) -> None:
        for _ in range(20):
            index = self._random.randrange(len(self._rows))
            if self._rows[index].born + self.habits.infancy <= self.requests or not self._rows[index].born:
                self._left.append(self._rows.pop(index))
                self.deleted.add(self._left[-1].id)
                return

    def _update(self) -> None:
        row = self._rows.pop(self._random.randrange(len(self._rows)))
        row = row._replace(modified=self._stamp(), status=self._random.choice(STATUSES))
        self.changes.setdefault(row.id, []).append(row.modified)
        self.shown[row.id] = self.now
        if self.order == "heap, updates to the end":
            row = row._replace(place=self._next_id + self.now / START)
        elif self.order == "heap, updates anywhere":
            row = row._replace(place=self._somewhere())
        elif self.order in QUEUES:
            row = row._replace(place=1.0 if "end" in self.order else -1.0)
        insort(self._rows, row, key=self._key)

    def _somewhere(self) -> float:
        return self._random.uniform(0, self._next_id)

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
