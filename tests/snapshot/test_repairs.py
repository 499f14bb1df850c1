"""Gaps: how they are closed, where they are looked for and when they are given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from airflow_provider_sela.snapshot.closing import Closing
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.proof import prove
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.repair import repairs
from airflow_provider_sela.snapshot.windows import Entry, Response, Window


def _read(record: Record, windows: Iterable[Window], show: Callable[[int], range], count: int) -> None:
    """Read windows one by one; ``show`` gives the ids of the list at a tick."""
    for window in windows:
        tick = 2 * record.requests
        leads = show(tick)[window.offset : window.stop]
        more = window.stop < count
        entries = [Entry(lead, None, None) for lead in leads]
        record.add(Response(window, entries, count, more, None, tick, tick + 1))


def _still(tick: int) -> range:
    return range(1, 101)


@pytest.mark.parametrize(
    ("windows", "gaps"),
    [([(2, 34), (3, 30), (4, 25)], 0), ([(4, 25)], 1), ([(3, 20), (4, 25)], 2)],
)
def test_each_gap_that_is_closed_is_counted_once(windows: list[tuple[int, int]], gaps: int) -> None:
    record = Record(35)
    _read(record, [Window(1, 35), Window(1, 20), *(Window(*each) for each in windows)], _still, 100)
    closing = Closing(record, limit=1000, lateness=(0,))
    while wanted := closing.wanted():
        _read(record, wanted, _still, 100)
    assert [str(proof.order) for proof in closing.proofs] == ["id"]
    assert closing.repaired == gaps


def test_a_gap_that_no_answer_closes_is_given_up_long_before_all_requests_are_spent() -> None:
    """The server shows nothing but an empty page wherever the gap is looked for."""
    record = Record(35)
    _read(record, [Window(1, 35), Window(1, 20), Window(4, 25)], _still, 100)
    closing = Closing(record, limit=1000, lateness=(0,))
    while wanted := closing.wanted():
        _read(record, wanted, lambda tick: range(0), 100)
    assert not closing.proofs
    assert "gaps (1) that did not close" in closing.flaw
    assert record.requests < 30


def _arriving(tick: int) -> range:
    return range(10_000 + 5 * tick, 0, -1)


def _leaving(tick: int) -> range:
    return range(1 + 5 * tick, 10_001)


@pytest.mark.parametrize("moving", [_arriving, _leaving])
@pytest.mark.parametrize("pairs", [[(2, 80)], [(2, 80), (10, 45)]])
def test_repairs_look_where_the_leads_are_when_their_turn_comes(
    moving: Callable[[int], range], pairs: list[tuple[int, int]]
) -> None:
    """At each tick five leads are added before all others, or the first five go."""
    record, order = Record(100), Order("id", descending=moving is _arriving)
    windows = [(1, 100), *pairs, (5, 50), (7, 50), (9, 50)]
    _read(record, [Window(*each) for each in windows], moving, 10_000)
    floors = Floors(record.observations, 0)
    proof = prove(order, record.observations, floors, record.shows_unknown, len(record.known))
    assert len(proof.gaps) == 3
    tick = 2 * record.requests
    for gap, planned in repairs(proof, proof.gaps, cap=100, overlap=3, count=10_000):
        shown: set[int] = set()
        for window in planned:
            shown.update(moving(tick)[window.offset : window.stop])
            tick += 2
        low, high = sorted(int(abs(end[0])) for end in gap.ends)
        assert shown.issuperset(range(low, high + 1))
