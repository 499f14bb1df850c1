"""The reading as its driver sees it."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sela.snapshot.closing import Closing
from airflow_provider_sela.snapshot.orders import Evidence, observed_orders
from airflow_provider_sela.snapshot.plan import OVERLAP
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Strength, Verdict
from airflow_provider_sela.snapshot.windows import Entry, Response, Window
from tests.snapshot.drifting import Answer, DriftingList, Habits
from tests.snapshot.rows import HONEST, LIARS
from tests.snapshot.simulation import read


def _respond(leads: DriftingList, window: Window, tick: int) -> Response:
    given = leads.answer(window)
    return Response(
        window, given.entries, given.count, given.has_next, given.date, tick, tick + 1, given.gone
    )


@settings(max_examples=120, deadline=None)
@given(
    order=st.sampled_from((*HONEST, *LIARS)),
    leads=st.integers(0, 400),
    cap=st.integers(1, 60),
    page_size=st.integers(1, 100),
    writes=st.sampled_from((0.0, 0.3, 3.0, 12.0)),
    insert=st.integers(1, 80),
    delete=st.integers(1, 80),
    honours=st.booleans(),
    concurrency=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_every_read_ends_within_its_budget(
    order: str,
    leads: int,
    cap: int,
    page_size: int,
    writes: float,
    insert: int,
    delete: int,
    honours: bool,
    concurrency: int,
    seed: int,
) -> None:
    habits = Habits(writes=writes, insert=insert, delete=delete)
    drifting = DriftingList(order, leads=leads, cap=cap, habits=habits, honours_page_size=honours, seed=seed)
    outcome = read(drifting, concurrency=concurrency, seed=seed, page_size=page_size)
    assert outcome.reasoned
    assert outcome.passes <= 4
    longest = leads + outcome.distinct
    pages = longest // min(cap, page_size) + 1
    assert outcome.requests <= 12 + (1 + 2) * (2 * pages + 2) + 60 + 3 * (2 * pages + 10)


def test_each_window_is_named_once_and_no_other_is_taken() -> None:
    leads = DriftingList("id", leads=300, cap=20)
    reading = Reading(20)
    [probe] = reading.wanted()
    assert reading.wanted() == []
    answer = _respond(leads, probe, 0)
    reading.record(answer)
    with pytest.raises(ValueError, match="not out"):
        reading.record(answer)
    windows = reading.wanted()
    assert len(windows) == len(set(windows)) > 10
    assert reading.verdict is None


@pytest.mark.parametrize("order", HONEST)
def test_all_windows_of_the_rest_are_known_after_two_requests_and_a_replay_goes_on_from_there(
    order: str,
) -> None:
    """A plan in one process, windows read in many, the end in another."""
    leads = DriftingList(order, leads=900, cap=50, habits=Habits(writes=0.5), seed=5)
    planner, answers, tick = Reading(50), [], 0
    while len(windows := planner.wanted()) == 1:
        answers.append(_respond(leads, windows[0], tick))
        planner.record(answers[-1])
        tick += 2
    assert len(answers) <= 2
    answers += [_respond(leads, window, tick + 2 * number) for number, window in enumerate(windows)]
    tick += 2 * len(windows)

    finisher = Reading(50)
    for answer in answers:
        finisher.wanted()
        finisher.record(answer)
    waiting = deque(finisher.wanted())
    while waiting:
        finisher.record(_respond(leads, waiting.popleft(), tick))
        tick += 2
        waiting.extend(finisher.wanted())
    assert finisher.verdict is not None
    assert str(finisher.verdict) == f"PROVEN({order})"
    shown = {entry.id for answer in answers for entry in answer.entries}
    assert len(finisher._record.known) >= len(shown)


@pytest.mark.parametrize("order", HONEST)
def test_what_a_quiet_list_is_asked_for_overlaps_from_end_to_end(order: str) -> None:
    """So that no gap has to be read again. A newest end on the last page is asked for after these."""
    leads = DriftingList(order, leads=900, cap=50)
    planner, asked = Reading(50), []
    while len(windows := planner.wanted()) == 1:
        asked += windows
        planner.record(_respond(leads, windows[0], 2 * len(asked)))
    asked = sorted([*asked, *windows], key=lambda window: (window.offset, window.stop))
    assert asked[0].offset == 0
    assert asked[-1].stop >= (900 if order.startswith("-") else 850)
    assert all(later.offset <= earlier.stop - OVERLAP for earlier, later in pairwise(asked))


def test_an_order_that_is_only_not_contradicted_is_read_along_until_it_is() -> None:
    """Leads of one time, as after an import: they show no order, and none is ruled out."""
    evidence = Evidence()
    evidence.show([Entry(key, 5, 5) for key in (3, 1, 2)])
    assert evidence.supported() == []
    assert evidence.descending() is False
    evidence.show([Entry(key, key, key) for key in (3, 1, 2)])
    assert evidence.descending() is None


def test_a_quiet_list_of_one_page_is_atomic_after_two_requests_and_an_empty_one_after_one() -> None:
    outcome = read(DriftingList("-id", leads=40))
    assert (str(outcome.verdict), outcome.requests) == ("ATOMIC", 2)
    outcome = read(DriftingList("-id", leads=0))
    assert (str(outcome.verdict), outcome.requests) == ("ATOMIC", 1)


@pytest.mark.parametrize(("date", "spelled"), [(10**15, "PROVEN(id)"), (None, "CONVERGED(2)")])
def test_every_order_that_is_left_must_be_proven(date: int | None, spelled: str) -> None:
    """Leads that were never changed are sorted by each key; ``modified_time`` needs the Date header."""
    leads = [Entry(lead, lead, lead) for lead in range(1, 121)]
    reading, tick = Reading(20), 0
    while reading.verdict is None:
        for window in reading.wanted():
            shown = leads[window.offset : window.stop]
            reading.record(Response(window, shown, 120, window.stop < 120, date, tick, tick + 1))
            tick += 2
    assert str(reading.verdict) == spelled
    assert ("no Date header" in reading.verdict.reason) is (date is None)


def test_nothing_is_proven_before_the_server_has_kept_to_a_page_size() -> None:
    record = Record(20)
    leads = DriftingList("id", leads=30, cap=20)
    for tick, window in enumerate((Window(1, 20), Window(2, 15), Window(2, 15))):
        record.add(_respond(leads, window, 2 * tick))
    closing = Closing(record, limit=100, lateness=(0,))
    assert closing.wanted() == [Window(1, 10)]
    record.add(_respond(leads, Window(1, 10), 6))
    assert closing.wanted() != [Window(1, 10)]


@pytest.mark.parametrize("order", HONEST)
def test_a_list_that_shrinks_until_pages_are_gone_is_proven(order: str) -> None:
    gone = 0
    for seed in range(10):
        habits = Habits(writes=3, update=0, silent=0, insert=0, delete=1)
        leads = DriftingList(order, leads=600, cap=20, habits=habits, seed=seed)
        answer = leads.answer

        def counting(window: Window) -> Answer:
            nonlocal gone
            given = answer(window)  # noqa: B023
            gone += given.gone
            return given

        leads.answer = counting  # type: ignore[method-assign]
        outcome = read(leads, concurrency=(1, 8)[seed % 2], seed=seed)
        assert outcome.verdict.proven, outcome
        assert not outcome.lost
    assert gone


def test_a_page_that_is_gone_tells_how_long_the_list_is_at_most() -> None:
    record = Record(20)
    record.add(_respond(DriftingList("id", leads=100, cap=20), Window(1, 20), 0))
    assert record.length == 100
    record.gone(Response(Window(4, 20), (), 0, False, None, 2, 3, gone=True))
    assert (record.length, record.requests) == (60, 2)


def test_progress_is_told_against_the_latest_count() -> None:
    reading = Reading(10)
    assert reading.expected is None
    [probe] = reading.wanted()
    reading.record(_respond(DriftingList("id", leads=25, cap=10), probe, 0))
    assert reading.expected == 25


def test_each_verdict_has_one_spelling() -> None:
    spelled = {
        Verdict(Strength.ATOMIC): "ATOMIC",
        Verdict(Strength.PROVEN, "-modified_time"): "PROVEN(-modified_time)",
        Verdict(Strength.CONVERGED, passes=3, reason="x"): "CONVERGED(3)",
        Verdict(Strength.UNVERIFIED, passes=4, reason="x"): "UNVERIFIED",
    }
    assert [str(verdict) for verdict in spelled] == list(spelled.values())
    assert [verdict.proven for verdict in spelled] == [True, True, False, False]


def test_one_whole_read_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="max_passes"):
        Reading(10, max_passes=1)


def test_a_reading_works_with_pages_of_one_lead_and_with_two_passes() -> None:
    assert Reading(1, max_passes=2).wanted() == [Window(1, 1)]


def test_observed_orders_name_what_answers_are_consistent_with() -> None:
    rising = [Entry(lead, lead * 10, None) for lead in (1, 2, 5)]
    assert observed_orders([rising]) == ("id", "created_time")
    assert observed_orders([rising[::-1], rising[:1]]) == ("-id", "-created_time")
    assert observed_orders([rising, rising[::-1]]) == ()
    assert observed_orders([[Entry(3, 7, 1), Entry(1, 7, 2), Entry(2, 7, 2)]]) == ("modified_time",)
    assert observed_orders([]) == ()


def test_a_lead_that_one_answer_shows_twice_leaves_no_order() -> None:
    """Its time alone fits a list that is sorted by time, in which no lead has two places."""
    once, other = Entry(1, 10, 10), Entry(2, 20, 20)
    assert observed_orders([[once, other]]) == ("id", "created_time", "modified_time")
    assert observed_orders([[once, once, other]]) == ()
