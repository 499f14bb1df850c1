"""Up to which key a list sorted by ``modified_time`` stands still while windows of it are read.

A floor of a response is a time such that every write after the moment of that response carries a later
``modified_time``, or the same. Leads below it do not move from then on (they can only jump above it, or be
deleted), so what a window proves about them stays true. Above it, it proves nothing.

Two bounds are known to hold, and the smaller is taken, so that either may be wrong in one direction:

* The newest key in the response: it was written before that moment. Wrong if that lead is dated into the
  future.
* The time before which the rows were not taken, by the server's clock, less the lateness that is allowed for:
  a write that shows up later carries no earlier time than that. It is the newest ``Date`` header among
  answers that were complete before this request was sent, or the response's own, less the time that the
  request took. As it is, its own will not do: it is written after the rows were taken, and a write may fall
  between. Wrong if the clock that writes the header is ahead of the one that dates the leads, or if that
  clock jumps, or the worker's stands still, while a request is out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.windows import Observation


class Floors:
    """Floors of all responses of a read.

    :param observations: the responses.
    :param lateness: microseconds by which the time in a lead may precede the moment it becomes visible, such
        as the length of the transaction that wrote it.
    """

    def __init__(self, observations: Iterable[Observation], lateness: int) -> None:
        self.lateness = lateness
        answered = sorted(observations, key=lambda each: each.ended)
        self._ended = [seen.ended for seen in answered]
        dates = (MISSING if seen.date is None else seen.date - lateness for seen in answered)
        self._dates = list(accumulate(dates, max))
        self._floors = list(accumulate(map(self._own, answered), max))

    def of(self, seen: Observation) -> int | None:
        """The highest floor known for a response: its own, or one of a response before it (every write after
        this one is also a write after that one). None if there is none."""
        floor = max(self._own(seen), self._before(self._floors, seen.started))
        return None if floor == MISSING else floor

    @property
    def highest(self) -> int | None:
        """The floor of a request that is sent now."""
        floor = self._floors[-1] if self._floors else MISSING
        return None if floor == MISSING else floor

    def _own(self, seen: Observation) -> int:
        sent = MISSING if seen.sent == MISSING else seen.sent - self.lateness
        return min(seen.newest, max(sent, self._before(self._dates, seen.started)))

    def _before(self, highest: list[int], tick: int) -> int:
        known = bisect_left(self._ended, tick)
        return highest[known - 1] if known else MISSING
