"""No lead that existed throughout is missing from a proven read, whatever happens to the list meanwhile.

``SELA_SWEEP=20`` reads twenty times as many lists.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST, SECOND
from tests.snapshot.simulation import Outcome, read, read_in_parts, walk

SWEEP = int(os.environ.get("SELA_SWEEP", "1"))


def _hostile(seed: int, *, in_parts: bool = False) -> Outcome:
    """A small list in a random honest order, written to in every way the model knows."""
    chance = random.Random(seed)  # noqa: S311
    cap = chance.choice((8, 20, 50))
    late = chance.choice((0, 0, SECOND // 2))
    grain = chance.choice((1, 1, SECOND // 4, 3600 * SECOND))
    habits = Habits(
        writes=chance.choice((0, 0.2, 1, 1.8, 5, 10)),
        insert=chance.choice((0, 10, 25, 60) if grain < SECOND else (0, 10)),
        delete=chance.choice((0, 15, 40)),
        update=chance.choice((5, 55)),
        between=chance.choice((0.05, 1 / 3, 0.9)),
        late=late,
        future=chance.choice((0, 0, 0.02)),
        grain=grain,
        request=chance.choice((SECOND // 50, SECOND // 10, SECOND)),
    )
    leads = DriftingList(
        HONEST[seed % len(HONEST)],
        leads=chance.choice((0, 5, cap - 1, cap, cap + 1, 2 * cap, 10 * cap)),
        cap=cap,
        habits=habits,
        shuffled_ties=chance.random() < 0.5,
        seed=seed,
    )
    concurrency = chance.choice((1, 2, 4, 16))
    page_size = chance.choice((cap, 3 * cap, 1000))
    lateness = (late + (grain if grain > 1 else 0),)
    if not in_parts:
        return read(leads, concurrency=concurrency, seed=seed, page_size=page_size, lateness=lateness)
    return read_in_parts(
        leads,
        parts=chance.choice((1, 2, 5, 16)),
        lost=chance.choice((0, 0, 0.3, 1)),
        pause=chance.choice((0, 0, 5, 200)) if habits.writes else 0,
        concurrency=concurrency,
        seed=seed,
        page_size=page_size,
        lateness=lateness,
    )


@pytest.mark.parametrize(
    ("in_parts", "block"),
    [*((False, block) for block in range(12)), *((True, block) for block in range(6))],
)
def test_no_lead_that_existed_throughout_is_missing_from_a_proven_read(in_parts: bool, block: int) -> None:
    proven = 0
    for seed in range(block * 100 * SWEEP, (block + 1) * 100 * SWEEP):
        outcome = _hostile(seed, in_parts=in_parts)
        assert not (outcome.lost and outcome.verdict.proven), (seed, outcome)
        assert outcome.reasoned, (seed, outcome)
        proven += outcome.verdict.proven
    assert proven > 60 * SWEEP, "a verdict that is never given is no use"


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_quiet_list_costs_at_most_a_quarter_more_than_a_plain_walk(order: str, concurrency: int) -> None:
    leads = DriftingList(order, leads=5000, seed=1)
    outcome = read(leads, concurrency=concurrency)
    requests, _ = walk(leads)
    assert str(outcome.verdict) == f"PROVEN({order})"
    assert requests == 50
    assert outcome.requests <= 1.25 * requests


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize(("writes", "least"), [(1.8, 0.95), (10, 0.8)])
def test_a_busy_list_is_proven(order: str, writes: float, least: float) -> None:
    outcomes = [
        read(
            DriftingList(order, leads=5000, habits=Habits(writes=writes), seed=seed),
            concurrency=(1, 4, 8, 16)[seed % 4],
            seed=seed,
        )
        for seed in range(12 * SWEEP)
    ]
    assert not any(outcome.lost for outcome in outcomes if outcome.verdict.proven)
    assert sum(outcome.verdict.proven for outcome in outcomes) >= least * len(outcomes)


@pytest.mark.parametrize("order", HONEST)
def test_a_busy_list_read_in_parts_is_proven_at_the_same_cost(order: str) -> None:
    """Requests of the whole: planning, all parts, repairing and closing."""

    def busy(seed: int) -> DriftingList:
        return DriftingList(order, leads=10_000, habits=Habits(writes=1.8), seed=seed)

    seeds = range(3 * SWEEP)
    apart = [read_in_parts(busy(seed), parts=8, concurrency=4, seed=seed) for seed in seeds]
    alone = [read(busy(seed), concurrency=16, seed=seed) for seed in seeds]
    assert not any(outcome.lost for outcome in apart)
    assert all(outcome.verdict.proven for outcome in apart)
    requests = [sum(outcome.requests for outcome in outcomes) for outcomes in (apart, alone)]
    assert requests[0] <= 1.1 * requests[1]


def test_a_plain_walk_loses_leads_from_the_same_lists() -> None:
    lost = [
        len(walk(DriftingList("id", leads=5000, habits=Habits(writes=1.8), seed=seed))[1])
        for seed in range(5)
    ]
    assert all(lost)


def test_writes_up_to_the_allowed_lateness_are_not_lost() -> None:
    for seed in range(60 * SWEEP):
        habits = Habits(writes=4, late=SECOND // 4, request=SECOND // 4)
        leads = DriftingList(HONEST[4 + seed % 2], leads=400, cap=40, habits=habits, seed=seed)
        outcome = read(leads, seed=seed, lateness=(SECOND // 4,))
        assert not (outcome.lost and outcome.verdict.proven), (seed, outcome)
