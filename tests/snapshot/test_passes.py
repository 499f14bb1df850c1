"""Whole reads, where nothing can be proven."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from airflow_provider_sela.snapshot.passes import Pass
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.verdict import Verdict
from airflow_provider_sela.snapshot.windows import Entry, Observation, Response, Window

SECOND = 1_000_000
NOON = 1_750_000_000 * SECOND


def entries(count: int, *, shuffled: bool) -> list[Entry]:
    leads = [Entry(lead, lead, lead) for lead in range(1, count + 1)]
    if shuffled:
        random.Random(1).shuffle(leads)  # noqa: S311
    return leads


def windows_asked(leads: Sequence[Entry], cap: int) -> list[Window]:
    """Every window that is asked for, one at a time, of a list that stands still and names no ``Date``."""
    reading, asked = Reading(cap), []
    while reading.verdict is None:
        for window in reading.wanted():
            asked.append(window)
            shown, tick = leads[window.offset : window.stop], 2 * len(asked)
            reading.record(
                Response(window, shown, len(leads), window.stop < len(leads), None, tick, tick + 1)
            )
    assert reading.verdict.passes == 2
    return asked


def test_the_second_whole_read_goes_backwards_through_a_list_in_no_order() -> None:
    pages = [Window(number, 20) for number in range(1, 7)]
    again = [Window(number, 19) for number in range(7, 0, -1)]
    assert windows_asked(entries(120, shuffled=True), 20) == pages + again


def test_after_a_proof_that_failed_every_page_is_read_again_last_page_first() -> None:
    pages = [Window(number, 19) for number in range(7, 0, -1)]
    assert windows_asked(entries(120, shuffled=False), 20)[-7:] == pages


def converging(shown: Callable[[int], list[Entry]], *, size: int, hidden: int = 0) -> Verdict:
    """The verdict on a list that shows these leads at each request and counts some that it hides."""
    reading, tick = Reading(size), 0
    while reading.verdict is None:
        for window in reading.wanted():
            leads, tick = shown(tick // 2), tick + 2
            count, page = len(leads) + hidden, leads[window.offset : window.stop]
            more = window.stop < len(leads)
            reading.record(Response(window, page, count, more, NOON, tick, tick + 1))
    return reading.verdict


def arriving(number: int) -> list[Entry]:
    """So many leads that were created well after the first answer."""
    created = NOON + 10 * SECOND
    return [Entry(1000 + each, created, created) for each in range(number)]


def test_leads_that_are_created_during_whole_reads_do_not_keep_them_from_converging() -> None:
    leads = entries(120, shuffled=True)
    verdict = converging(lambda request: [*leads, *arriving(request // 3)], size=20)
    assert str(verdict) == "CONVERGED(2)"


def test_one_page_with_a_new_lead_in_every_answer_counts_as_one_whole_read() -> None:
    verdict = converging(lambda request: entries(5, shuffled=False) + arriving(request), size=50)
    assert str(verdict) == "CONVERGED(2)"
    assert "one page" in verdict.reason


def test_a_verdict_says_how_many_leads_are_counted_and_not_shown() -> None:
    verdict = converging(lambda request: entries(120, shuffled=True), size=20, hidden=3)
    assert str(verdict) == "UNVERIFIED"
    assert "counts 3 leads more than it shows" in verdict.reason


def _page(
    number: int, leads: Sequence[Entry], count: int, *, rejected: int = 0, more: bool = False
) -> Observation:
    return Observation(Response(Window(number, 10), leads, count, more, None, 0, 1, rejected=rejected))


def test_leads_that_are_counted_and_never_shown_are_told_results_without_an_id_aside() -> None:
    leads = entries(14, shuffled=False)
    whole = Pass(17, 10)
    whole.record(_page(1, leads[:9], 18, rejected=1, more=True), set())
    whole.record(_page(2, leads[9:], 17), set())
    assert whole.hidden(14) == 2
    assert whole.hidden(20) == 0


@pytest.mark.parametrize(
    ("created", "clean"),
    [(NOON + 2 * SECOND, True), (NOON + SECOND, False), (NOON - SECOND, False), (None, False)],
)
def test_a_lead_no_pass_before_had_shown_is_new_only_if_it_says_so_a_second_after_the_first_answer(
    created: int | None, clean: bool
) -> None:
    whole = Pass(1, 10, since=NOON)
    whole.record(_page(1, [Entry(7, created, None)], 1), {7})
    assert whole.clean is clean
    undated = Pass(1, 10)
    undated.record(_page(1, [Entry(7, created, None)], 1), {7})
    assert not undated.clean


def test_a_pass_over_a_list_that_grows_as_fast_as_it_is_read_comes_to_an_end() -> None:
    whole = Pass(30, 10)
    windows, read = list(whole.windows), 0
    while windows:
        window = windows.pop(0)
        windows += whole.record(_page(window.page, [], 30 + 10 * read, more=True), set())
        read += 1
    assert whole.endless
    assert not whole.clean
    assert read == 2 * 3 + 8
