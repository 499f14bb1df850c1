"""What answers show that no order can mend, each on the smallest read that shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from airflow_provider_sela.snapshot import doubts
from airflow_provider_sela.snapshot.doubts import leaves_out, outdated
from airflow_provider_sela.snapshot.extent import Extent
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Strength
from airflow_provider_sela.snapshot.windows import Entry, Observation, Response, Window
from tests.snapshot.rows import SECOND

NOON = 1_750_000_000 * SECOND


def answer(
    at: int,
    window: tuple[int, int],
    leads: Iterable[int],
    count: int,
    *,
    modified: int = NOON,
    seconds: int = 0,
    **more: Any,
) -> Response:
    """A response that began at tick ``at`` and took one tick, dated so many seconds after noon."""
    page = Window(*window)
    entries = [Entry(lead, NOON, modified) for lead in leads]
    date = NOON + seconds * SECOND
    return Response(page, entries, count, page.stop < count, date, at, more.pop("until", at + 1), **more)


def seen(*responses: Response) -> list[Observation]:
    return [Observation(response) for response in responses]


@pytest.mark.parametrize(
    ("more", "stored"),
    [
        ({}, False),
        ({"age": 1}, True),
        ({"expires": NOON}, False),
        ({"expires": NOON - SECOND}, False),
        ({"expires": NOON + SECOND}, True),
    ],
)
def test_an_answer_with_an_age_or_one_that_may_be_kept_may_be_older_than_its_request(
    more: dict[str, int], stored: bool
) -> None:
    assert outdated(seen(answer(0, (1, 5), [1], 1, **more))) is stored


def test_an_answer_may_be_dated_a_little_before_another_as_clocks_differ() -> None:
    first = answer(0, (1, 5), [1], 1, seconds=10)
    assert not outdated(seen(first, answer(2, (1, 4), [1], 1, seconds=7)))
    assert outdated(seen(first, answer(2, (1, 4), [1], 1, seconds=6)))


def test_only_dates_that_were_known_before_a_request_was_sent_make_its_answer_old() -> None:
    meanwhile = answer(2, (1, 4), [1], 1, seconds=0)
    assert not outdated(seen(answer(0, (1, 5), [1], 1, seconds=10, until=3), meanwhile))
    undated = Response(Window(1, 5), [], 0, has_next=False, date=None, started=0, ended=1)
    assert not outdated(seen(undated, meanwhile))


@pytest.mark.parametrize(
    ("versions", "ticks", "mixed"),
    [
        ((5, 4), (0, 2), True),
        ((5, 4), (0, 1), False),
        ((4, 5), (0, 2), False),
        ((5, 5), (0, 2), False),
        ((4, 5, 4), (0, 2, 4), True),
        ((5, 4, 3), (0, 1, 2), True),
    ],
)
def test_a_lead_in_an_older_version_after_a_newer_one_shows_answers_of_different_age(
    versions: tuple[int, ...], ticks: tuple[int, ...], mixed: bool
) -> None:
    record = Record(10)
    for number, (version, tick) in enumerate(zip(versions, ticks, strict=True)):
        record.add(answer(tick, (1, 10 - number), [7], 1, modified=NOON + version * 60 * SECOND))
    assert (record.doubt == doubts.MIXED) is mixed


def test_a_change_may_be_dated_half_a_minute_before_an_earlier_one() -> None:
    for seconds, reason in ((30, ""), (31, doubts.MIXED)):
        record = Record(10)
        record.add(answer(0, (1, 10), [7], 1, modified=NOON))
        record.add(answer(2, (1, 9), [7], 1, modified=NOON - seconds * SECOND))
        assert record.doubt == reason


def test_a_lead_without_a_time_has_no_version() -> None:
    record = Record(10)
    record.add(answer(0, (1, 10), [7], 1))
    record.add(Response(Window(1, 9), [Entry(7, None, None)], 1, False, NOON, 2, 3))
    assert record.doubt == ""


def test_versions_are_compared_only_while_there_may_be_a_proof() -> None:
    record = Record(10)
    record.compares = False
    record.add(answer(0, (1, 10), [7], 1, modified=NOON + 60 * SECOND))
    record.add(answer(2, (1, 9), [7], 1, modified=NOON))
    assert record.doubt == ""


def test_a_lead_is_known_since_the_first_answer_that_shows_it_whichever_is_taken_first() -> None:
    record = Record(10)
    late, _ = record.add(answer(4, (1, 10), [7], 1))
    record.add(answer(0, (1, 9), [7], 1))
    assert not record.shows_unknown(late, late.started)


def test_a_page_of_a_list_that_goes_on_is_full_unless_the_server_leaves_leads_out() -> None:
    short = [answer(0, (1, 4), [1, 2], 40), answer(2, (2, 4), [5, 6, 7], 40)]
    behind = answer(4, (4, 4), [13, 14, 15, 16], 40)
    assert leaves_out(seen(*short, behind), 4)
    assert not leaves_out(seen(short[0], behind), 4), "the list may have been shorter for a moment"
    before = answer(0, (4, 4), [13, 14, 15, 16], 40)
    assert not leaves_out(seen(answer(2, (1, 4), [1], 40), answer(4, (2, 4), [5], 40), before), 4)
    assert not leaves_out(seen(*short, behind), 3), "more was asked for than the server gives"


def _extent(*steps: Response) -> Extent:
    extent = Extent()
    for step in steps:
        if step.gone:
            extent.gone(step.window, step.ended)
        else:
            extent.record(Observation(step))
    return extent


def _blank(at: int, page: int, count: int, *, gone: bool) -> Response:
    return Response(Window(page, 10), [], count, page * 10 < count, NOON, at, at + 1, gone=gone)


@pytest.mark.parametrize("gone", [True, False])
def test_pages_without_leads_that_the_count_allows_are_told_if_the_count_stays(gone: bool) -> None:
    first = answer(0, (1, 10), range(10), 100)
    blank = [_blank(2 * page, page, 100, gone=gone) for page in (4, 5, 6)]
    extent = _extent(first, *blank, answer(20, (1, 9), range(9), 100))
    assert extent.length == 30
    assert (extent.limited, extent.overcounted) == (gone, not gone)
    shrunk = _extent(first, *blank, answer(20, (1, 9), range(9), 25))
    assert shrunk.length == 25
    assert not shrunk.limited
    assert shrunk.overcounted is False


def test_a_page_without_leads_is_forgotten_when_leads_are_shown_behind_it() -> None:
    extent = _extent(
        answer(0, (1, 10), range(10), 100), _blank(2, 4, 100, gone=True), answer(4, (5, 10), range(10), 100)
    )
    assert extent.length == 100


def test_no_next_page_although_the_count_goes_on_is_no_end() -> None:
    """An honest page names a next one while more is counted than the pages so far can hold."""
    limited = Response(Window(2, 10), [], 100, False, NOON, 2, 3)
    (observed,) = seen(limited)
    assert (observed.claims_end, observed.short) == (False, False)
    extent = _extent(answer(0, (1, 10), range(10), 100), limited)
    assert not extent.limited
    extent.record(Observation(answer(4, (1, 9), range(9), 100)))
    assert extent.limited


@pytest.mark.parametrize("hidden", [1, 3])
def test_one_page_that_shows_fewer_leads_than_it_counts_is_asked_for_seven_times(hidden: int) -> None:
    reading, asked = Reading(100), 0
    while reading.verdict is None:
        for window in reading.wanted():
            asked += 1
            reading.record(answer(2 * asked, window, range(30), 30 + hidden))
    assert reading.verdict.strength is Strength.CONVERGED
    assert reading.verdict.reason.endswith(f"the server counts {hidden} leads more than it shows")
    assert asked == 8
