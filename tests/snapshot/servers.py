"""What real servers do to a list besides sorting it: page limits, wrong counts, caches, copies, joins.

:data:`SERVERS` has them by name, each as a function of a seed.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_sela.snapshot.windows import Window
from tests.snapshot.drifting import Answer, DriftingList, Habits
from tests.snapshot.rows import HONEST, QUEUES, SECOND, START, STATUSES, Row


class PageLimit(DriftingList):
    """Shows no more than the first leads, as search engines do.

    :param most: leads that it shows.
    :param beyond: what follows them: ``null`` for no next page, ``gone`` for pages that answer 404, ``empty``
        for pages without a lead.
    """

    def __init__(self, *args: Any, most: int, beyond: str, **more: Any) -> None:
        self._most = most
        self._beyond = beyond
        super().__init__(*args, **more)

    def _page(self, window: Window, count: int) -> Answer:
        size = min(window.page_size, self.cap)
        bottom, top = (window.page - 1) * size, window.page * size
        answer = super()._page(window, count)
        if answer.gone or top < self._most:
            return answer
        if bottom >= self._most and self._beyond != "empty":
            return Answer([], count, has_next=False, date=0, gone=True)
        more = answer.has_next and self._beyond != "null"
        return replace(answer, entries=answer.entries[: max(self._most - bottom, 0)], has_next=more)


class WrongCount(DriftingList):
    """Counts by an estimate, or as it did some time ago.

    :param factor: the estimate, as a multiple of the truth.
    :param ttl: how long a count is kept, in microseconds.
    :param old: how long ago it was taken when the read begins.
    """

    def __init__(self, *args: Any, factor: float = 1.0, ttl: int = 0, old: int = 0, **more: Any) -> None:
        self._factor = factor
        self._ttl = ttl
        self._counted_last = -ttl, 0
        super().__init__(*args, **more)
        if old:
            self._counted()
            while self.now < START + old:
                self._pass_time(1)
            self.begin()

    def _counted(self) -> int:
        taken, count = self._counted_last
        if self.now - taken >= self._ttl:
            taken, count = self._counted_last = self.now, round(self._factor * len(self._rows))
        return count


class Cache(DriftingList):
    """Keeps answers by their URL.

    :param ttl: for how long, in microseconds.
    :param tells: by which header it can be told: ``age``, ``expires``, ``date`` or ``nothing``.
    """

    def __init__(self, *args: Any, ttl: int, tells: str, **more: Any) -> None:
        self._ttl = ttl
        self._tells = tells
        self._kept: dict[Window, tuple[int, Answer]] = {}
        super().__init__(*args, **more)

    def answer(self, window: Window) -> Answer:
        stored, answer = self._kept.get(window, (-self._ttl, Answer([], 0, has_next=False, date=0)))
        if self.now - stored >= self._ttl:
            answer = super().answer(window)
            if self._tells == "expires":
                answer = replace(answer, expires=(self.now + self._ttl) // SECOND * SECOND)
            self._kept[window] = self.now, answer
            return answer
        self.requests += 1
        self._pass_time(0.2)
        if self._tells == "age":
            return replace(answer, age=(self.now - stored) // SECOND)
        return answer if self._tells == "date" else replace(answer, date=self.now // SECOND * SECOND)


class Replicas(DriftingList):
    """Answers from any of several copies that lag.

    :param lags: by how much each of them does, in microseconds.
    """

    def __init__(self, *args: Any, lags: tuple[int, ...], **more: Any) -> None:
        self._lags = lags
        self._past: list[tuple[int, list[Row]]] = []
        super().__init__(*args, **more)
        self._past.append((START - max(lags), list(self._rows)))

    def write(self) -> None:
        super().write()
        self._past.append((self.now, list(self._rows)))

    def answer(self, window: Window) -> Answer:
        self.requests += 1
        self._pass_time(0.5)
        moment = self.now - self._random.choice(self._lags)
        current = self._rows
        self._rows = self._past[bisect_right(self._past, moment, key=lambda each: each[0]) - 1][1]
        answer = self._page(window, len(self._rows))
        self._rows = current
        self._pass_time(0.5)
        return replace(answer, date=self.now // SECOND * SECOND)


class Dropping(DriftingList):
    """Leaves some leads out of every page after it was cut, as a filter in Python would.

    :param share: how many.
    """

    def __init__(self, *args: Any, share: float, **more: Any) -> None:
        self._share = share
        super().__init__(*args, **more)

    @property
    def stable(self) -> set[int]:
        return {lead for lead in super().stable if not self._drops(lead)}

    def _drops(self, lead: int) -> bool:
        return _picked(lead, self._share)

    def _page(self, window: Window, count: int) -> Answer:
        answer = super()._page(window, count)
        return replace(answer, entries=[entry for entry in answer.entries if not self._drops(entry.id)])


class Join(DriftingList):
    """Shows and counts some leads twice, as a JOIN without DISTINCT does.

    :param share: how many.
    """

    def __init__(self, *args: Any, share: float, **more: Any) -> None:
        self._share = share
        super().__init__(*args, **more)

    def _counted(self) -> int:
        return len(self._joined())

    def _slice(self, bottom: int, top: int) -> list[Row]:
        return self._joined()[bottom:top]

    def _joined(self) -> list[Row]:
        return [row for row in self._rows for _ in range(2 if _picked(row.id, self._share) else 1)]


class Imports(DriftingList):
    """Is written to by long transactions: each hands out ids and times while it runs, and ends at once.

    :param batch: leads in each.
    :param lasting: how long it takes, in microseconds.
    """

    def __init__(self, *args: Any, batch: int, lasting: int, **more: Any) -> None:
        self._batch = batch
        self._lasting = lasting
        self._began = START
        super().__init__(*args, **more)
        self._reserved = self._reserve()
        self._began -= self._random.randrange(lasting)

    def _reserve(self) -> range:
        self._began = self.now
        self._next_id += self._batch
        return range(self._next_id - self._batch, self._next_id)

    def _pass_time(self, share: float) -> None:
        super()._pass_time(share)
        if self.now < self._began + self._lasting:
            return
        for number, lead in enumerate(self._reserved):
            stamp = self._began + number * self._lasting // self._batch
            row = Row(lead, stamp, stamp, STATUSES[0], self.requests, float(lead))
            insort(self._rows, row, key=self._key)
        self._reserved = self._reserve()


def _picked(lead: int, share: float) -> bool:
    """Whether a lead is one of a share of them that only its id decides."""
    return lead * 2_654_435_761 % 1000 < 1000 * share


def _make(kind: type[DriftingList], more: dict[str, Any], habits: dict[str, Any], seed: int) -> DriftingList:
    """A list of 900 to 1,100 leads on pages of 40; answers take a fifth of a second."""
    usual = {"writes": (0.2, 1.0, 2.0)[seed // 6 % 3], "request": SECOND // 5}
    arguments = {"order": HONEST[seed % 6], "leads": 900 + 50 * (seed % 5), "cap": 40, "seed": seed, **more}
    return kind(arguments.pop("order"), habits=Habits(**{**usual, **habits}), **arguments)


def _server(
    kind: type[DriftingList] = DriftingList, habits: dict[str, Any] | None = None, **more: Any
) -> Callable[[int], DriftingList]:
    return partial(_make, kind, more, habits or {})


_CACHE: dict[str, Any] = {"kind": Cache, "ttl": 60 * SECOND}
SERVERS: dict[str, Callable[[int], DriftingList]] = {
    "honest, quiet": _server(habits={"writes": 0.0}),
    "honest": _server(),
    "page limit, next is null": _server(PageLimit, most=400, beyond="null"),
    "page limit, pages are gone": _server(PageLimit, most=400, beyond="gone"),
    "page limit, pages are empty": _server(PageLimit, most=400, beyond="empty"),
    "count 2 % too high": _server(WrongCount, factor=1.02),
    "count 2 % too low": _server(WrongCount, factor=0.98),
    "count of 20 s ago, list grows": _server(
        WrongCount, {"insert": 80, "delete": 5}, ttl=600 * SECOND, old=20 * SECOND
    ),
    "count of 20 s ago, list shrinks": _server(
        WrongCount, {"insert": 5, "delete": 80}, ttl=600 * SECOND, old=20 * SECOND
    ),
    "count 10,000,000": _server(WrongCount, factor=10_000),
    "cache that tells its age, cold": _server(**_CACHE, tells="age"),
    "cache that tells its age, warm": _server(**_CACHE, tells="age"),
    "cache with Expires, warm": _server(**_CACHE, tells="expires"),
    "cache with an old Date, warm": _server(**_CACHE, tells="date"),
    "cache that tells nothing, cold": _server(**_CACHE, tells="nothing"),
    "cache that tells nothing, warm": _server(**_CACHE, tells="nothing"),
    "a copy that lags by 5 s": _server(Replicas, lags=(5 * SECOND,)),
    "two copies, one lags by 0.5 s": _server(Replicas, lags=(0, SECOND // 2)),
    "two copies, one lags by 5 s": _server(Replicas, lags=(0, 5 * SECOND)),
    "rows left out of pages, 1 %": _server(Dropping, share=0.01),
    "rows left out of pages, 10 %": _server(Dropping, share=0.1),
    "rows twice by a JOIN, 5 %": _server(Join, share=0.05),
    "rows twice by a JOIN, all": _server(Join, share=1.0),
    "hidden queue, changed leads first": _server(order=QUEUES[0]),
    "hidden queue, changed leads last": _server(order=QUEUES[1]),
    "all leads stamped alike": _server(order="-modified_time,id", habits={"stamped": True, "writes": 0.05}),
    "commits up to 0.5 s late": _server(habits={"late": SECOND // 2}),
    "commits up to 2 s late": _server(habits={"late": 2 * SECOND}),
    "commits up to 5 s late": _server(habits={"late": 5 * SECOND}),
    "commits up to 30 s late": _server(habits={"late": 30 * SECOND}),
    "clocks 2 s apart": _server(habits={"clocks": 2 * SECOND}),
    "leads leave and return": _server(habits={"delete": 20, "comeback": 20}),
    "new leads with lower ids": _server(habits={"lower": 0.3}),
    "backdated leads": _server(habits={"backdated": 0.3}),
    "imports of 100 leads in 5 s": _server(Imports, batch=100, lasting=5 * SECOND),
    "imports of 100 leads in 20 s": _server(Imports, batch=100, lasting=20 * SECOND),
}
"""Servers by name, each as a list that a seed makes. Those named *warm* were read once before."""
