"""What is proven of servers that do more to a list than to sort it: see :mod:`tests.snapshot.servers`.

``python -m benchmarks.snapshot_servers`` prints the same for more reads.
"""

from __future__ import annotations

import re
from statistics import median

import pytest

from airflow_provider_sela.snapshot import doubts
from airflow_provider_sela.snapshot.verdict import Strength
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import SECOND
from tests.snapshot.servers import SERVERS
from tests.snapshot.simulation import Outcome, read, read_server

ASSUMED = {
    "count 2 % too low",
    "count of 20 s ago, list grows",
    "cache with an old Date, warm",
    "cache that tells nothing, warm",
}
"""Servers that no rule inside one read finds out; docs/completeness.md names what is assumed of them."""

HONEST = {"honest, quiet": 1.45, "honest": 1.6, "a copy that lags by 5 s": 1.6}


def _reads(name: str, *, parts: int = 0) -> list[Outcome]:
    return [read_server(name, seed, parts=parts) for seed in range(3 if parts else 9)]


@pytest.mark.parametrize("parts", [0, 4])
@pytest.mark.parametrize("name", sorted(SERVERS.keys() - ASSUMED))
def test_no_lead_is_missing_from_a_proof_whatever_the_server_does(name: str, parts: int) -> None:
    for outcome in _reads(name, parts=parts):
        assert not (outcome.lost and outcome.verdict.proven), outcome


@pytest.mark.parametrize(("name", "most"), HONEST.items())
def test_honest_servers_are_proven_at_little_cost(name: str, most: float) -> None:
    outcomes = _reads(name)
    assert all(outcome.verdict.proven for outcome in outcomes)
    assert median(outcome.requests / outcome.plain for outcome in outcomes) <= most


@pytest.mark.parametrize("beyond", ["next is null", "pages are gone", "pages are empty"])
def test_a_server_that_pages_only_so_far_is_told_and_costs_less_than_two_walks(beyond: str) -> None:
    for outcome in _reads(f"page limit, {beyond}"):
        assert outcome.verdict.strength is Strength.UNVERIFIED
        assert "leads more than it shows" in outcome.verdict.reason
        assert outcome.verdict.reason.startswith(doubts.LIMITED) is (beyond != "pages are empty")
        assert outcome.requests <= 2 * outcome.plain


def test_a_count_that_is_a_little_too_high_does_not_fail_the_task() -> None:
    for outcome in _reads("count 2 % too high"):
        assert outcome.verdict.strength is not Strength.UNVERIFIED, outcome
        assert outcome.requests <= 3.5 * outcome.plain


@pytest.mark.parametrize("factor", [10_000, 2**63])
def test_a_count_without_reason_is_not_planned_for(factor: int) -> None:
    for seed in range(6):
        leads = SERVERS["count 10,000,000"](seed)
        leads._factor = factor  # type: ignore[attr-defined]
        outcome = read(leads, seed=seed, max_requests=100)
        assert outcome.verdict.strength is Strength.UNVERIFIED
        assert re.search(r"counts \d+ leads more than it shows", outcome.verdict.reason)


def test_the_end_of_a_very_long_list_is_seen_before_windows_are_planned_up_to_it() -> None:
    leads = DriftingList("-id", leads=4000, cap=8, habits=Habits(writes=0.1))
    outcome = read(leads, seed=1)
    assert str(outcome.verdict) == "PROVEN(-id)"
    assert not outcome.lost


@pytest.mark.parametrize("name", ["cache that tells its age, warm", "cache with Expires, warm"])
def test_nothing_is_proven_of_answers_that_a_cache_may_have_given(name: str) -> None:
    for outcome in _reads(name):
        assert not outcome.verdict.proven
        assert doubts.CACHED in outcome.verdict.reason


def test_a_list_of_one_page_is_not_atomic_out_of_a_cache() -> None:
    """The second read is given what the first one left in the cache."""
    leads = SERVERS["cache that tells its age, cold"](0)
    del leads._rows[30:]
    assert str(read(leads, page_size=40).verdict) == "ATOMIC"
    leads.now += 5 * SECOND
    verdict = read(leads, page_size=40).verdict
    assert verdict.strength in (Strength.CONVERGED, Strength.UNVERIFIED)
    assert doubts.CACHED in verdict.reason


@pytest.mark.parametrize("share", ["1 %", "10 %"])
def test_leads_left_out_of_pages_are_told_and_do_not_fail_the_task(share: str) -> None:
    outcomes = _reads(f"rows left out of pages, {share}")
    for outcome in outcomes:
        assert outcome.verdict.strength is Strength.CONVERGED, outcome
        told = doubts.INCOMPLETE, "leads more than it shows"
        assert any(words in outcome.verdict.reason for words in told), outcome
    assert median(outcome.requests / outcome.plain for outcome in outcomes) <= 4


@pytest.mark.parametrize(("name", "most"), [("5 %", 4), ("all", 8)])
def test_leads_shown_twice_by_a_join_are_told(name: str, most: float) -> None:
    outcomes = _reads(f"rows twice by a JOIN, {name}")
    for outcome in outcomes:
        assert outcome.verdict.reason.startswith(doubts.REPEATED)
    converged = sum(outcome.verdict.strength is Strength.CONVERGED for outcome in outcomes)
    assert converged >= 0.8 * len(outcomes)
    assert median(outcome.requests / outcome.plain for outcome in outcomes) <= most


def test_a_quiet_list_whose_leads_are_shown_twice_takes_two_whole_reads() -> None:
    for seed in range(6):
        leads = SERVERS["rows twice by a JOIN, 5 %"](seed)
        leads.habits = Habits()
        plain = -(-leads._counted() // leads.cap)
        outcome = read(leads, seed=seed)
        assert str(outcome.verdict) == "CONVERGED(2)"
        assert outcome.requests <= 2 * plain + 2


@pytest.mark.parametrize("order", ["modified_time", "-modified_time"])
@pytest.mark.parametrize("seconds", [1, 2, 5])
def test_commits_that_show_late_are_proven_for(order: str, seconds: int) -> None:
    """Ten writes a second; a quarter of a second of lateness refused half of these."""
    for seed in range(8):
        habits = Habits(writes=1, late=seconds * SECOND)
        leads = DriftingList(order, leads=3000, habits=habits, seed=seed)
        verdict = read(leads, concurrency=(1, 4)[seed % 2], seed=seed).verdict
        assert str(verdict) == f"PROVEN({order})"
        allowed = re.fullmatch(
            r"given that a change shows within ([\d.]+) s of its modified_time", verdict.reason
        )
        assert allowed is not None
        assert float(allowed[1]) >= seconds


def test_what_a_quarter_of_a_second_contradicts_is_proven_for_more() -> None:
    """Forty writes a second that show up to a second late: at first it looks as if nothing were sorted."""
    proven = 0
    for seed in range(8):
        leads = DriftingList("modified_time", leads=2000, habits=Habits(writes=4, late=SECOND), seed=seed)
        outcome = read(leads, seed=seed)
        assert not (outcome.lost and outcome.verdict.proven), outcome
        proven += outcome.verdict.proven and "0.25" not in outcome.verdict.reason
    assert proven == 8


def test_a_list_too_busy_for_five_seconds_is_proven_for_what_it_allows() -> None:
    leads = DriftingList("-modified_time", leads=3000, habits=Habits(writes=5), seed=3)
    verdict = read(leads, seed=3).verdict
    assert str(verdict) == "PROVEN(-modified_time)"
    assert verdict.reason == "given that a change shows within 2 s of its modified_time"


def test_leads_stamped_alike_hide_no_order_from_a_read_in_parts() -> None:
    """A change lifts a lead to the front of a list that was sorted by id until then."""
    outcomes = [read_server("all leads stamped alike", seed, parts=4) for seed in range(30)]
    assert not any(outcome.lost for outcome in outcomes if outcome.verdict.proven)
    assert sum(outcome.verdict.proven for outcome in outcomes) >= 0.8 * len(outcomes)
