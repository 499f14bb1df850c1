"""Where to read again so that a gap closes, in a list whose ranks have moved since its edges were seen."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from airflow_provider_sela.snapshot.coverage import Gap, Stretch
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.plan import around
from airflow_provider_sela.snapshot.proof import Proof
from airflow_provider_sela.snapshot.windows import Observation, Window

_TICKS = 2
"""By which the clock goes on for each request: its start and its end."""


class Drift:
    """Ranks by which leads move per tick, as a straight line over the ranks.

    A straight line is what the causes give: arrivals at rank 0 move every rank alike, and what a rank loses
    or gains by deletes and changes is in proportion to how many leads stand before it, or behind it. It is
    fitted to the leads that neighbouring windows share.
    """

    def __init__(self, order: Order, stretches: Sequence[Stretch]) -> None:
        weight = ranks = squares = moves = products = 0.0
        for rank, moved, ticks in _moves(order, stretches):
            weight += ticks * ticks
            ranks += ticks * ticks * rank
            squares += ticks * ticks * rank * rank
            moves += ticks * moved
            products += ticks * moved * rank
        determinant = weight * squares - ranks * ranks
        if determinant > 1e-6 * weight * squares:
            self._slope = (weight * products - ranks * moves) / determinant
            self._base = (moves - self._slope * ranks) / weight
        else:
            self._slope, self._base = 0.0, (moves / weight if weight else 0.0)

    def moved(self, rank: float, ticks: int) -> float:
        """Where a lead is likely to be so many ticks after it was seen at a rank."""
        return rank + (self._base + self._slope * rank) * ticks


class Repair(NamedTuple):
    """A gap and the windows that should close it."""

    gap: Gap
    windows: list[Window]


def repairs(
    proof: Proof,
    gaps: Sequence[Gap],
    *,
    cap: int,
    overlap: int,
    count: int,
    asked: Container[Window] = (),
) -> list[Repair]:
    """Plan windows over gaps, where the leads are likely to be when those windows are read one by one.

    A prediction that misses costs a request and no more: its response is nearer to the gap and newer than the
    old edges, so the next prediction starts from there.

    :param proof: what is covered, and in which order.
    :param gaps: those of its gaps that should be closed.
    :param cap: greatest page size.
    :param overlap: ranks by which a window should reach over the gap on either side.
    :param count: length of the list.
    :param asked: windows that were asked for already.
    """
    drift = Drift(proof.order, proof.stretches)
    tick = max(each.seen.ended for each in proof.stretches) + _TICKS
    planned: list[Repair] = []
    for gap in gaps:
        first = _now(gap.below, gap.below.last, proof, drift, tick) if gap.below else 0
        last = _now(gap.above, gap.above.first, proof, drift, tick) if gap.above else count
        low, high = sorted(min(max(int(rank), 0), max(count - 1, 0)) for rank in (first, last))
        windows = [each for each in around(low, high + 1, cap, overlap, asked) if each.offset < count]
        planned.append(Repair(gap, windows))
        tick += _TICKS * len(windows)
    return planned


def _now(edge: Stretch, rank: int, proof: Proof, drift: Drift, tick: int) -> float:
    """Where a rank of a response is likely to be at a tick, by the newest response that shows one of its
    leads in its place."""
    latest, place = edge.seen.ended, float(rank)
    for other in proof.stretches:
        if other.seen.ended <= latest or other.low > edge.high or other.high < edge.low:
            continue
        shared = _shared(proof.order, edge.seen, other.seen)
        if shared is not None:
            one, again = shared
            latest, place = other.seen.ended, rank + again - one
    return drift.moved(place, tick - latest)


def _moves(order: Order, stretches: Sequence[Stretch]) -> Iterator[tuple[int, int, int]]:
    """Rank, ranks moved and ticks passed, for one lead of each pair of neighbours, if its key is the same."""
    for one, other in pairwise(sorted(stretches, key=lambda each: each.low)):
        early, late = sorted((one.seen, other.seen), key=lambda seen: seen.ended)
        shared = _shared(order, early, late)
        if shared is not None and early is not late:
            rank, again = shared
            yield rank, again - rank, late.ended - early.ended


def _shared(order: Order, one: Observation, other: Observation) -> tuple[int, int] | None:
    """Both ranks of a lead that two responses show in its place, None if there is no such lead."""
    found = dict(zip(one.ids, range(len(one.ids)), strict=True))
    for again, lead in enumerate(other.ids):
        index = found.get(lead)
        if index is not None and order.position(one, index) == order.position(other, again):
            return one.window.offset + index, other.window.offset + again
    return None
