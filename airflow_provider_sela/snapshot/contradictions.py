"""Leads that testify against an order which no single response contradicts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence, Set
from itertools import accumulate
from typing import NamedTuple

from airflow_provider_sela.snapshot.coverage import TOP, Stretch
from airflow_provider_sela.snapshot.orders import Order, Position
from airflow_provider_sela.snapshot.proof import Proof
from airflow_provider_sela.snapshot.windows import Observation


class _Life(NamedTuple):
    """When a lead was seen; ``place`` is None if it was not always at the same one."""

    place: Position | None
    first: int
    last: int


def contradicted(proof: Proof, observations: Sequence[Observation]) -> bool:
    """Whether some lead existed at the moment of a window and had its place inside its stretch, but is not in
    it. Under the order it would have to be, so then the server sorts otherwise.

    A lead existed at that moment if it was seen before and after. One seen after it alone also did, if ids
    were already higher by then: they are given out in rising order. (An id given out early and committed late
    looks the same, and so do ids at random. That costs the proof, never a lead.)

    :param proof: a complete proof; its stretches are what is put to the test.
    :param observations: all responses.
    """
    absent = list(_absent(proof, observations))
    if not absent:
        return False
    lives = _lives(proof.order, observations, {lead for _, lead in absent})
    answered = sorted(observations, key=lambda seen: seen.ended)
    ticks = [seen.ended for seen in answered]
    highest = list(accumulate((max(seen.ids, default=0) for seen in answered), max))
    for stretch, lead in absent:
        life, seen = lives[lead], stretch.seen
        issued = highest[bisect_right(ticks, seen.ended) - 1]
        existed = life.first < seen.started or lead < issued
        if life.place is not None and existed and life.last > seen.ended:
            return True
    return False


def _absent(proof: Proof, observations: Sequence[Observation]) -> Iterator[tuple[Stretch, int]]:
    """Leads that some other response shows inside a stretch and that the stretch's own does not.

    They are few where the order is the true one, so that nothing has to be kept of all the others.
    """
    ranges = [(low, high, seen) for seen in observations for low, high in [proof.order.span(seen)] if low]
    ranges.sort(key=lambda each: each[0])
    lows = [low for low, _, _ in ranges]
    reach = list(accumulate((high for _, high, _ in ranges), max))
    # Else some ranks show no lead, or one of which nobody knows where it belongs.
    whole = all(seen.rows == len(seen.keys(proof.order.key)) for seen in observations)
    for stretch in proof.stretches:
        shown: set[int] = set()
        last = bisect_left(lows, stretch.high)
        for index in range(bisect_right(reach, stretch.low), last):
            other = ranges[index][2]
            if other is stretch.seen or (whole and _agree(stretch, other)):
                continue
            shown = shown or set(stretch.seen.ids)
            ids = other.ids
            for rank in proof.order.inside(other, stretch.low, stretch.high):
                if ids[rank] not in shown:
                    yield stretch, ids[rank]


def _agree(stretch: Stretch, other: Observation) -> bool:
    """Whether another response shows the same leads at all ranks that it shares with the stretch's own.

    What it shows beyond them then lies beyond the stretch, so it has no lead inside that is lacking.
    """
    mine, theirs = stretch.seen.ids, other.ids
    ahead = other.window.offset - stretch.seen.window.offset
    begin, end = max(ahead, 0), min(len(mine), ahead + len(theirs))
    if begin >= end or (stretch.high == TOP and ahead + len(theirs) > end):
        return False
    return mine[begin:end] == theirs[begin - ahead : end - ahead]


def _lives(order: Order, observations: Sequence[Observation], leads: Set[int]) -> dict[int, _Life]:
    lives: dict[int, _Life] = {}
    for seen in observations:
        for rank, lead in enumerate(seen.ids):
            if lead not in leads:
                continue
            place = order.position(seen, rank)
            known = lives.get(lead, _Life(place, seen.ended, seen.started))
            steady = place if place == known.place else None
            lives[lead] = _Life(steady, min(known.first, seen.ended), max(known.last, seen.started))
    return lives
