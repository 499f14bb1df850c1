"""Answers from inside the list, where another order than the one that a read relies on would show."""

from __future__ import annotations

from airflow_provider_sela.snapshot.plan import reaching
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.windows import Observation, Window

_GOLDEN = 0.618_033_988_749_895
"""Places that follow each other by this part of the list never come close to one before."""
_PHASES = 997
"""Sets of places, one for each second, so that reads one after another look elsewhere."""
_SECOND = 1_000_000


class Samples:
    """Where to look.

    :param moment: that the read goes down to, microseconds since the epoch.

    :ivar asked: windows so far.
    :ivar in_vain: how many of those that were foreseen have shown no lead.
    """

    def __init__(self, moment: int) -> None:
        self.asked = 0
        self.in_vain = 0
        self._phase = moment // _SECOND % _PHASES / _PHASES
        self._foreseen: list[Window] = []

    def foreseen(self, number: int, length: int, cap: int) -> list[Window]:
        """Windows that can be asked for along with the first page; none where too little is known.

        :param length: of the list, as the last load has seen it.
        :param cap: greatest page size, likewise.
        """
        self._foreseen = self._next(number, length, cap) if 1 < cap < length else []
        return self._foreseen

    def more(self, number: int, record: Record) -> list[Window]:
        """Windows by what this read has seen."""
        return self._next(number, record.length, record.cap)

    def record(self, window: Window, seen: Observation | None) -> None:
        """Take the answer to a window of this or another kind; None for a 404."""
        # The list may have become shorter than the last load has seen it.
        if window in self._foreseen and not (seen and seen.rows):
            self.in_vain += 1

    def _next(self, number: int, length: int, cap: int) -> list[Window]:
        numbers = range(self.asked, self.asked + number)
        self.asked = numbers.stop
        offsets = (int((self._phase + each * _GOLDEN) % 1 * length) for each in numbers)
        # Smaller than the cap, so that it shows whether the server keeps to a size.
        return list(dict.fromkeys(reaching(offset, cap - 1) for offset in offsets))
