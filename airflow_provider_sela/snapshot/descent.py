"""Which windows to ask for where a read goes from the newest end down to a floor."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.plan import OVERLAP, cover, front, reaching, tail
from airflow_provider_sela.snapshot.reach import Reach
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.windows import Observation, Window

_GOLDEN = 0.618_033_988_749_895
"""Places that follow each other by this part of the list never come close to one before."""

_TRIES = 3


def samples(record: Record, phase: float, numbers: range) -> list[Window]:
    """Windows from inside the list, where another order than the true one would show.

    :param phase: part of the list by which their places differ from those of another read.
    :param numbers: of the places.
    """
    offsets = (int((phase + number * _GOLDEN) % 1 * record.length) for number in numbers)
    # Smaller than the cap, so that it shows whether the server keeps to a size.
    return list(dict.fromkeys(reaching(offset, record.cap - 1) for offset in offsets))


class Descent:
    """The way down.

    :param record: what was read.
    :param reach: down to where.
    :param descending: whether rank 0 is the newest end.

    :ivar answers: from the newest end so far.
    """

    def __init__(self, record: Record, reach: Reach, *, descending: bool) -> None:
        self.answers: list[Observation] = []
        self._record = record
        self._reach = reach
        self._descending = descending
        self._begun = 0

    def passed(self, orders: Sequence[Order]) -> bool:
        """Whether leads were shown that are older than what is to be found, under each order."""
        return all(any(self._reach.passed(order, seen) for seen in self.answers) for order in orders)

    def newest_end(self) -> list[Window]:
        """Where it begins; nothing once that was asked for in vain, as after a list has shrunk."""
        record = self._record
        self._begun += 1
        first, last = front(record.cap, record.asked), tail(record.length, record.cap, record.asked)
        return [first if self._descending else last] if self._begun <= _TRIES else []

    def onward(self, order: Order) -> list[Window]:
        """Windows further down; nothing where more than half of the list was read.

        :param order: the likely one.
        """
        cap, length = self._record.cap, self._record.length
        low = min(seen.window.offset for seen in self.answers)
        stop = max(seen.window.offset + seen.rows for seen in self.answers)
        ranks = stop if self._descending else length - low
        if 2 * ranks > length:
            return []
        ahead = self._ranks_ahead(order, ranks)
        if self._descending:
            return self._fresh(cover(stop - OVERLAP, min(stop + ahead, length), cap, OVERLAP))
        return self._fresh(cover(low - ahead, low + OVERLAP, cap, OVERLAP)[::-1])

    def _ranks_ahead(self, order: Order, ranks: int) -> int:
        """How many leads more are likely to be new, by how far those that were read have come."""
        cap, base = self._record.cap, self.answers[0]
        newest = max(base.keys(order.key), default=0)
        if order.key != "id" and base.date is not None:
            newest = min(newest, base.date)
        deepest = min(min(seen.keys(order.key), default=newest) for seen in self.answers)
        left, done = deepest - self._reach.oldest(order), max(newest - deepest, 1)
        return int(min(max(ranks * left / done, cap / 2), ranks + cap))

    def _fresh(self, windows: list[Window]) -> list[Window]:
        return [window for window in windows if window not in self._record.asked]
