"""Servers whose order is not what it looks like."""

from __future__ import annotations

import pytest

from airflow_provider_sela.snapshot.verdict import Strength
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST, SECOND
from tests.snapshot.simulation import read


@pytest.mark.parametrize("order", ["heap, updates to the end", "rotating start", "status"])
@pytest.mark.parametrize("writes", [0.02, 0.2, 1.8, 10])
def test_a_list_that_lies_about_its_order_is_not_proven_when_a_lead_is_lost(
    order: str, writes: float
) -> None:
    for seed in range(25):
        leads = DriftingList(order, leads=800, cap=40, habits=Habits(writes=writes), seed=seed)
        outcome = read(leads, concurrency=(1, 4)[seed % 2], seed=seed)
        assert not (outcome.lost and outcome.verdict.proven), (seed, outcome)


@pytest.mark.parametrize("writes", [0.2, 1.8, 10])
def test_a_heap_whose_leads_move_anywhere_is_found_out_when_it_moves_enough(writes: float) -> None:
    """The documented exception: at a few writes in a whole read it can pass for a list sorted by id."""
    for seed in range(25):
        leads = DriftingList(
            "heap, updates anywhere", leads=2000, cap=50, habits=Habits(writes=writes), seed=seed
        )
        outcome = read(leads, concurrency=(1, 4)[seed % 2], seed=seed)
        assert not (outcome.lost and outcome.verdict.proven), (seed, outcome)
        assert outcome.verdict.reason.startswith("the list is not sorted") or outcome.verdict.proven


@pytest.mark.parametrize("order", ["created_time", "-modified_time"])
def test_a_block_of_ties_wider_than_a_page_in_shuffled_order_is_not_proven(order: str) -> None:
    for seed in range(10):
        habits = Habits(writes=1, grain=10**9 * SECOND)
        leads = DriftingList(order, leads=300, cap=20, habits=habits, shuffled_ties=True, seed=seed)
        outcome = read(leads, seed=seed)
        assert not outcome.verdict.proven, outcome


@pytest.mark.parametrize("order", ["created_time", "-created_time"])
def test_a_block_of_ties_wider_than_a_page_is_proven_if_ids_break_the_ties(order: str) -> None:
    habits = Habits(writes=0.2, grain=86_400 * 100 * SECOND)
    leads = DriftingList(order, leads=300, cap=20, habits=habits, seed=3)
    outcome = read(leads, seed=3)
    assert str(outcome.verdict) == f"PROVEN({order},{'-' if order[0] == '-' else ''}id)", outcome


@pytest.mark.parametrize("order", ["created_time", "-created_time"])
def test_ids_are_not_asked_to_break_ties_that_a_window_can_bridge(order: str) -> None:
    for seed in range(5):
        habits = Habits(grain=86_400 * 4 * SECOND)
        leads = DriftingList(order, leads=600, cap=40, habits=habits, seed=seed)
        assert str(read(leads, seed=seed).verdict) == f"PROVEN({order})"


def test_whole_reads_that_keep_showing_leads_missed_before_are_unverified() -> None:
    verdicts = [
        read(DriftingList("rotating start", leads=800, cap=40, seed=seed), seed=seed).verdict
        for seed in range(8)
    ]
    assert all(verdict.strength is Strength.UNVERIFIED and verdict.passes == 4 for verdict in verdicts)


@pytest.mark.parametrize("order", HONEST)
def test_a_server_that_ignores_page_size_is_never_proven_and_says_so(order: str) -> None:
    for seed in range(10):
        leads = DriftingList(
            order, leads=130 + 30 * seed, cap=20, honours_page_size=False, habits=Habits(writes=1), seed=seed
        )
        outcome = read(leads, concurrency=(1, 4)[seed % 2], seed=seed)
        assert outcome.verdict.strength in (Strength.CONVERGED, Strength.UNVERIFIED)
        assert outcome.verdict.reason == "the server ignores page_size, so windows cannot overlap"
