"""How a read comes to its end: what is asked for last, and what is not asked for again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_sela.snapshot.closing import Closing
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Strength
from airflow_provider_sela.snapshot.windows import Entry, Response, Window
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST


def _respond(leads: DriftingList, window: Window, tick: int) -> Response:
    given = leads.answer(window)
    return Response(
        window, given.entries, given.count, given.has_next, given.date, tick, tick + 1, given.gone
    )


def _asked(leads: DriftingList) -> tuple[Reading, list[Window], list[Response]]:
    """A whole read, one request at a time."""
    reading = Reading(leads.cap)
    answers: list[Response] = []
    while reading.verdict is None:
        for window in reading.wanted():
            answers.append(_respond(leads, window, 2 * len(answers)))
            reading.record(answers[-1])
    return reading, [answer.window for answer in answers], answers


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize("writes", [0, 0.2])
def test_both_ends_are_read_after_all_else_and_no_url_is_asked_for_twice(order: str, writes: float) -> None:
    reading, windows, answers = _asked(
        DriftingList(order, leads=900, cap=50, habits=Habits(writes=writes), seed=2)
    )
    assert str(reading.verdict) == f"PROVEN({order})"
    at_end = [answer.window.page == 1 or not answer.has_next for answer in answers]
    closing = answers[len(at_end) - at_end[::-1].index(False) :]
    assert {answer.window.page == 1 for answer in closing} == {True, False}
    assert len(set(windows)) == len(windows)


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize(("leads", "cap"), [(900, 50), (9000, 16)])
def test_a_quiet_list_is_waited_for_three_or_four_times(order: str, leads: int, cap: int) -> None:
    """The first page, the end of a very long list, the newest end unless it is one of those, the rest, both
    ends."""
    drifting = DriftingList(order, leads=leads, cap=cap, habits=Habits(writes=0), seed=2)
    reading, waits, tick = Reading(cap), 0, 0
    while windows := reading.wanted():
        waits, sent = waits + 1, tick
        for window in windows:
            tick += 1
            reading.record(replace(_respond(drifting, window, sent), ended=tick, took=1))
        tick += 1
    assert str(reading.verdict) == f"PROVEN({order})"
    descending, is_long = order.startswith("-"), leads / cap > 300
    assert waits == (3 if descending and not is_long else 4)


def test_leads_that_come_in_the_middle_are_counted_and_not_waited_for() -> None:
    """As where ids are given out early and committed late: a whole read shows them, another shows no more."""
    ids, answers = list(range(0, 400, 2)), 0
    reading = Reading(20)
    while reading.verdict is None:
        for window in reading.wanted():
            if answers == 12:
                ids = sorted([*ids, 301, 303, 305])
            shown, answers = ids[window.offset : window.stop], answers + 1
            entries = [Entry(lead, None, None) for lead in shown]
            reading.record(
                Response(window, entries, len(ids), window.stop < len(ids), 0, 2 * answers, 2 * answers + 1)
            )
    assert reading.verdict.strength is Strength.CONVERGED
    assert "counts more leads than it shows" in reading.verdict.reason
    rest, closing, whole_reads = 16, 2, 11 + 12
    assert answers <= rest + closing + whole_reads


def test_the_same_is_not_asked_for_more_than_seven_times() -> None:
    """The server leaves one lead out of each page, so none has the size that was asked for."""
    record, tick = Record(20), 0

    def take(window: Window) -> None:
        nonlocal tick
        shown = range(window.offset, min(window.stop, 45) - 1)
        entries = [Entry(lead, None, None) for lead in shown]
        record.add(Response(window, entries, 45, window.stop < 45, 0, tick, tick + 1))
        tick += 2

    for window in (Window(1, 20), Window(2, 20), Window(3, 20)):
        take(window)
    closing, asked = Closing(record, limit=1000, lateness=(0,)), 0
    while windows := closing.wanted():
        asked += len(windows)
        for window in windows:
            take(window)
    assert "no page of the size asked for" in closing.flaw
    assert 6 <= asked <= 7
