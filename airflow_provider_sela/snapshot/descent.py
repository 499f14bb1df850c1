"""Which windows to ask for where a read goes from the newest end down to a floor."""

from __future__ import annotations

from collections.abc import Sequence, Set

from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.plan import OVERLAP, after, before, tail
from airflow_provider_sela.snapshot.reach import Reach
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.windows import Observation, Window

_TRIES = 3
"""Looks for the newest end where the server counts that it is; a list that shrinks may need a second."""
_MOVED = 8
"""Part of a page by which the newest end, which is read again as the last, may have moved by then."""
_AHEAD = 3
"""Windows that are out at most beside as many as were answered, so that few are asked for in vain."""


def _first_edge(cap: int) -> int:
    return cap - cap // _MOVED


def next_to_first(cap: int) -> Window | None:
    """The window behind the first page of a list whose newest end that is; None where pages are so small that
    it begins where the first page does.

    :param cap: greatest page size.
    """
    window = after(_first_edge(cap), cap, OVERLAP)
    return window if window.offset else None


class Descent:
    """The way down, one window at a time, as whoever reads has time for one.

    :param record: what was read, the first page.
    :param reach: down to where.
    :param descending: whether rank 0 is the newest end.
    :param second: the window behind the first page, if it was asked for already.

    :ivar answers: from the newest end so far.
    """

    def __init__(
        self, record: Record, reach: Reach, *, descending: bool, second: Window | None = None
    ) -> None:
        self.answers = record.observations[:1] if descending else []
        self._descending = descending
        self._record = record
        self._reach = reach
        self._out: set[Window] = set()
        self._edge = _first_edge(record.cap)
        self._least = 0
        self._guesses = 0
        self._begun = 0
        if descending and second is not None and second == next_to_first(record.cap):
            self._edge = second.stop
            self.answers += [seen for seen in record.observations if seen.window == second]
            if second not in record.asked:
                self._out.add(second)

    def record(self, window: Window, seen: Observation | None) -> None:
        """Take the answer to a window of this or another kind; None for a 404."""
        if window in self._out:
            self._out.remove(window)
            self.answers.extend([seen] if seen else [])

    def passed(self, orders: Sequence[Order]) -> bool:
        """Whether leads were shown that are older than what is to be found, under each order."""
        return all(any(self._reach.passed(order, seen) for seen in self.answers) for order in orders)

    def onward(self, orders: Sequence[Order], out: Set[Window]) -> list[Window]:
        """The window to ask for next; nothing where those that are out are likely to be enough, where those
        that are in are, and once more than half of the list was asked for.

        :param orders: that are possible, the likely one first.
        :param out: windows of any kind that are not answered yet.
        """
        if not self.answers:
            return self._newest_end(out)
        if self.passed(orders) or len(self._out) >= len(self.answers) + _AHEAD:
            return []
        asked = self._depth(self._edge)
        if asked >= max(self._needed(orders[0]), self._least):
            if self._out:
                return []
            # Twice as much for each guess that came short, so that a few are enough.
            self._least = asked + (self._record.cap << self._guesses) // 2
            self._guesses += 1
        return [] if 2 * asked > self._record.length else self._ask(self._next(out), out)

    def _newest_end(self, out: Set[Window]) -> list[Window]:
        """Where it begins; nothing once that was asked for in vain, as after a list has shrunk."""
        if self._out or self._begun == _TRIES:
            return []
        self._begun += 1
        record = self._record
        return self._ask(tail(record.length, record.cap, record.asked | out), out, record.cap // _MOVED)

    def _ask(self, window: Window, out: Set[Window], shared: int = 0) -> list[Window]:
        """What to request so that a window is read: nothing where it is out as a sample.

        :param shared: ranks of it that the next window reads too, beside the usual overlap.
        """
        self._out.add(window)
        self._edge = window.stop if self._descending else window.offset + shared
        return [window] if window not in out else []

    def _next(self, out: Set[Window]) -> Window:
        """The next window down, of a size that no other at its place had."""
        record, step = self._record, after if self._descending else before
        windows = (step(self._edge, size, OVERLAP) for size in range(record.cap, 0, -1))
        return next(window for window in windows if window not in record.asked and window not in out)

    def _depth(self, rank: int) -> int:
        """How far a rank is from the newest end."""
        return rank if self._descending else self._record.length - rank

    def _needed(self, order: Order) -> float:
        """How many leads are likely to be new, by how far those that were read have come."""
        base = self.answers[0]
        newest = max(base.keys(order.key), default=0)
        if order.key != "id" and base.date is not None:
            newest = min(newest, base.date)
        edges = (seen.window.offset + (seen.rows if self._descending else 0) for seen in self.answers)
        depth = max(map(self._depth, edges))
        deepest = min(min(seen.keys(order.key), default=newest) for seen in self.answers)
        return depth + depth * (deepest - self._reach.oldest(order)) / max(newest - deepest, 1)
