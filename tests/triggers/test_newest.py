"""Which end of a list new leads come to, and which leads are new: simulated lists in every order."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.exceptions import SelaPageGoneError
from airflow_provider_sela.snapshot.windows import Entry
from airflow_provider_sela.triggers.cursor import Cursor
from airflow_provider_sela.triggers.newest import NewestEnd

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "id": lambda lead: lead["id"],
    "-id": lambda lead: -lead["id"],
    "created_time": lambda lead: lead["created_time"],
    "-created_time": lambda lead: -lead["id"],
    "modified_time": lambda lead: lead["modified_time"],
    "-modified_time": lambda lead: -datetime.fromisoformat(lead["modified_time"]).timestamp(),
}


class Listing:
    """A list that grows, in one order, read page by page."""

    def __init__(self, order: Callable[[dict[str, Any]], Any], leads: int, size: int = 20) -> None:
        self.order, self.size = order, size
        self.now = START
        self.leads: dict[int, dict[str, Any]] = {}
        self.requests = 0
        for _ in range(leads):
            self.create()

    def create(self) -> int:
        number = max(self.leads, default=0) + 1
        self.leads[number] = {"id": number, "created_time": self._tick(), "modified_time": self._tick()}
        return number

    def touch(self, number: int) -> None:
        self.leads[number]["modified_time"] = self._tick()

    def page(self, number: int) -> Page[Lead] | None:
        self.requests += 1
        ordered = sorted(self.leads.values(), key=self.order)
        start = (number - 1) * self.size
        if number > 1 and start >= len(ordered):
            return None
        more = start + self.size < len(ordered)
        rows: Any = [dict(lead) for lead in ordered[start : start + self.size]]
        return Page(len(ordered), number + 1 if more else None, rows)

    def read(self, end: NewestEnd) -> NewestEnd:
        end.start()
        while end.page is not None:
            page = self.page(end.page)
            if page is None:
                end.gone()
            else:
                end.record(page)
        return end

    def _tick(self) -> str:
        self.now += timedelta(seconds=1)
        return self.now.isoformat()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("arrivals", [1, 5, 30, 90])
@pytest.mark.parametrize("leads", [15, 121, 150])
def test_a_reading_that_joins_holds_every_lead_created_since_the_one_before(
    order: str, arrivals: int, leads: int
) -> None:
    listing = Listing(ORDERS[order], leads)
    for number in random.Random(order).sample(range(1, leads), leads * 2 // 5):  # noqa: S311
        listing.touch(number)
    end = listing.read(NewestEnd())
    assert end.ascending is (not order.startswith("-"))
    for _ in range(3):
        created = {listing.create() for _ in range(arrivals)}
        assert listing.read(end).joined
        assert created <= {lead["id"] for lead in end.leads}


@pytest.mark.parametrize("order", ORDERS)
def test_a_quiet_list_costs_one_request_a_reading(order: str) -> None:
    listing = Listing(ORDERS[order], 150)
    end = listing.read(NewestEnd())
    before = listing.requests
    assert listing.read(end).joined
    assert listing.requests - before == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [8, 20])
def test_a_first_reading_costs_two_requests_however_long_the_list(order: str, size: int) -> None:
    listing = Listing(ORDERS[order], 400, size=size)
    end = listing.read(NewestEnd())
    assert listing.requests == (1 if order.startswith("-") else 2)
    assert 400 in {lead["id"] for lead in end.leads}


def test_leads_of_earlier_readings_stay_known() -> None:
    listing = Listing(ORDERS["-id"], 150)
    end = listing.read(NewestEnd())
    for _ in range(40):
        listing.create()
    listing.read(end)
    listing.read(end)
    for number in range(171, 191):
        del listing.leads[number]
    assert listing.read(end).joined


def test_a_reading_begins_neither_joined_nor_whole() -> None:
    end = Listing(ORDERS["id"], 5).read(NewestEnd())
    end.start()
    assert (end.page, end.leads, end.joined, end.whole) == (1, [], False, False)


def test_a_page_that_stays_gone_although_it_is_counted_ends_the_reading() -> None:
    listing = Listing(ORDERS["id"], 150)
    end = listing.read(NewestEnd())
    end.start()
    end.gone()
    assert end.page == 1
    first = listing.page(1)
    assert first is not None
    end.record(first)
    assert end.page != 1
    with pytest.raises(SelaPageGoneError, match="look again later"):
        end.gone()
    assert listing.read(end).joined


@pytest.mark.parametrize("order", ORDERS)
def test_more_arrivals_than_are_looked_at_are_told(order: str) -> None:
    listing = Listing(ORDERS[order], 50)
    end = listing.read(NewestEnd())
    for _ in range(500):
        listing.create()
    before = listing.requests
    assert not listing.read(end).joined
    assert listing.requests - before == 10
    listing.read(end)
    new = listing.create()
    assert listing.read(end).joined
    assert new in {lead["id"] for lead in end.leads}


@pytest.mark.parametrize("leads", [100, 121])
def test_a_lead_that_is_gone_from_a_last_page_does_not_hide_what_was_seen(leads: int) -> None:
    """However few leads that page had."""
    listing = Listing(ORDERS["id"], leads)
    end = listing.read(NewestEnd())
    del listing.leads[leads]
    created = {listing.create() for _ in range(3)}
    assert listing.read(end).joined
    assert created <= {lead["id"] for lead in end.leads}


@pytest.mark.parametrize("order", ["modified_time", "-modified_time"])
@pytest.mark.parametrize("changed", [25, 45, 65])
def test_a_reading_goes_on_past_changed_leads_to_one_that_it_knows(order: str, changed: int) -> None:
    listing = Listing(ORDERS[order], 150)
    end = listing.read(NewestEnd())
    busy = {number for number in range(150 - changed, 151) if number != 145}
    for number in busy:
        listing.touch(number)
    before = listing.requests
    assert listing.read(end).joined
    assert listing.requests - before == 1 + changed // 20
    assert {lead["id"] for lead in end.leads} >= busy | {145}


def test_the_quiet_lead_among_busy_ones_stays_known() -> None:
    listing = Listing(ORDERS["-id"], 250, size=100)
    end = listing.read(NewestEnd())
    for _ in range(60):
        for number in range(1, 250):
            listing.touch(number)
        assert listing.read(end).joined


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [0, 7, 21])
def test_a_count_that_is_too_low_does_not_keep_a_reading_from_its_end(order: str, count: int) -> None:
    listing = Listing(ORDERS[order], 150)
    end = NewestEnd()
    for _ in range(2):
        end.start()
        for _ in range(11):
            if end.page is not None:
                page = listing.page(end.page)
                assert page is not None
                end.record(replace(page, count=count))
        assert end.page is None
        assert 150 in {lead["id"] for lead in end.leads}


def test_an_empty_page_that_names_a_next_one_is_no_end() -> None:
    listing = Listing(ORDERS["id"], 150)
    end = listing.read(NewestEnd())
    end.start()
    assert end.page is not None
    following = end.page + 1
    end.record(Page(150, following, []))
    assert end.page == following
    end.gone()
    end.record(Page(150, 2, []))
    assert end.page is not None
    with pytest.raises(SelaPageGoneError):
        end.gone()


def test_a_list_without_an_order_says_so_and_never_joins() -> None:
    shuffled = Listing(lambda lead: hash(("x", lead["id"] * 7919 % 101)), 150)
    end = shuffled.read(NewestEnd())
    assert end.unordered
    assert end.ascending is None
    assert shuffled.read(end).joined is False


def test_a_changed_lead_is_no_bridge_to_what_was_seen() -> None:
    listing = Listing(ORDERS["-modified_time"], 150)
    end = listing.read(NewestEnd())
    for number in range(120, 141):
        listing.touch(number)
    assert listing.read(end).joined
    assert {lead["id"] for lead in end.leads} >= set(range(120, 142))
    for number in range(1, 151):
        listing.touch(number)
    assert len(listing.read(end).leads) == 150


def test_a_list_that_shrank_is_read_from_its_new_end() -> None:
    listing = Listing(ORDERS["id"], 150)
    end = listing.read(NewestEnd())
    for number in range(1, 101):
        del listing.leads[number]
    new = listing.create()
    assert listing.read(end).joined
    assert new in {lead["id"] for lead in end.leads}


def test_a_list_in_one_answer_is_whole_and_an_empty_one_too() -> None:
    listing = Listing(ORDERS["id"], 0)
    end = listing.read(NewestEnd())
    assert end.whole
    assert end.joined
    listing.create()
    assert listing.read(end).whole
    assert listing.requests == 2


def entries(*ids: int, at: int = 0) -> list[Entry]:
    return [Entry(number, None, at + number) for number in ids]


def knowing(*ids: int, **limits: int) -> Cursor:
    """A cursor that has seen a whole list."""
    cursor = Cursor(**limits)
    cursor.take(entries(*ids), whole=True)
    return cursor


def test_leads_that_were_there_are_not_new_and_later_ones_are_new_once() -> None:
    cursor = knowing(10, 11, 12)
    assert cursor.take(entries(11, 12, 13, 14), whole=False) == ([13, 14], [])
    assert cursor.take(entries(12, 13, 14, 15), whole=False) == ([15], [])


def test_a_lead_whose_id_shows_up_late_is_new_and_an_earlier_time_is_a_change() -> None:
    cursor = knowing(10, 11)
    assert cursor.take(entries(14), whole=False).new == [14]
    assert cursor.take([*entries(3, 13, 14), Entry(10, None, 5)], whole=False) == ([3, 13], [10])


def test_of_an_empty_list_every_later_lead_is_new() -> None:
    assert knowing().take(entries(3, 7), whole=False) == ([3, 7], [])


def test_a_lead_that_shows_up_late_is_new_in_the_newest_gaps_and_in_the_widest() -> None:
    ids = [*range(20, 220, 20), *range(400, 510, 10)]
    cursor = knowing(*ids, stretches=10)
    assert cursor.take(entries(*ids, 25, 405, 445), whole=False).new == []
    assert cursor.take(entries(1, 150, 300, 455, 495), whole=False).new == [1, 150, 300, 455, 495]


@pytest.mark.parametrize("step", [1, 7])
def test_of_many_new_leads_of_which_the_later_ones_are_seen_first_none_is_lost(step: int) -> None:
    """Whether ids follow one another or have others between them."""
    cursor, reported = knowing(*range(1, 50)), []
    new = list(range(100, 100 + 1000 * step, step))
    for seen in (new[400:], new[200:], new):
        cursor = Cursor.load(json.loads(json.dumps(cursor.dump())), stretches=300)
        reported += cursor.take(entries(*seen), whole=False).new
    assert sorted(reported) == new
    assert cursor.full is (step > 1)
    assert cursor.take(entries(*new), whole=True).new == []
    assert not cursor.full


def test_an_import_that_commits_slowly_and_in_any_order_is_new_lead_by_lead() -> None:
    """Its ids were drawn before those of thousands of leads that are seen long before."""
    cursor, chance = knowing(*range(1, 20_000)), random.Random(5)  # noqa: S311
    imported = list(range(20_000, 21_000))
    chance.shuffle(imported)
    for number, key in enumerate(imported):
        later = range(21_000 + 8 * number, 21_008 + 8 * number)
        assert cursor.take(entries(key, *later), whole=number % 50 == 0).new == [key, *later]


def test_a_changed_lead_is_changed_once_and_a_new_one_is_not_changed() -> None:
    cursor = knowing(1, 2, 3)
    assert cursor.take([Entry(2, None, 900), *entries(3)], whole=False) == ([], [2])
    assert cursor.take([Entry(2, None, 900), Entry(4, None, 901)], whole=False) == ([4], [])


@pytest.mark.parametrize("step", [1, 2, 1000])
def test_a_stored_cursor_stays_small_and_knows_the_same(step: int) -> None:
    ids, now = range(1, 50_000 * step, step), 1_767_225_600_000_000
    cursor = Cursor()
    cursor.take(entries(*ids, at=now), whole=True)
    stored = json.dumps(cursor.dump())
    assert len(stored) < 25_000
    again = Cursor.load(json.loads(stored))
    assert again.take(entries(*ids, at=now), whole=False) == ([], [])
    assert again.take(entries(ids[-1], ids[-1] + 1, at=now), whole=False).new == [ids[-1] + 1]


@pytest.mark.parametrize(
    "data",
    [
        None, 7, {}, {"ids": 3, "changes": []}, {"ids": [[1]]},
        {"ids": [[7], [[8]]], "changes": [[], []]},
        {"ids": {"covered": "8", "stretches": []}, "changes": [[], []]},
        {"ids": {"covered": 8, "stretches": [1]}, "changes": [[], []]},
        {"ids": {"covered": 8, "stretches": "12"}, "changes": [[], []]},
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="cursor"):
        Cursor.load(data)


@given(st.lists(st.lists(st.integers(1, 60), max_size=30), max_size=20))
def test_over_any_readings_each_lead_is_new_at_most_once(readings: list[list[int]]) -> None:
    cursor = Cursor(stretches=3)
    reported: list[int] = []
    for reading in readings:
        reported += cursor.take(entries(*reading), whole=False).new
        cursor = Cursor.load(json.loads(json.dumps(cursor.dump())), stretches=3)
    assert len(reported) == len(set(reported))
    assert set(reported) == {key for reading in readings for key in reading}


@given(st.lists(st.tuples(st.lists(st.integers(1, 60), max_size=30), st.booleans()), max_size=20))
def test_no_gap_is_forgotten_that_no_whole_look_has_covered(
    readings: list[tuple[list[int], bool]],
) -> None:
    cursor, known, covered = Cursor(stretches=2), set[int](), 0
    for reading, whole in readings:
        new = set(cursor.take(entries(*reading), whole=whole).new)
        assert {key for key in reading if key > covered} - known <= new <= set(reading) - known
        known |= set(reading)
        if whole:
            covered = max(known, default=0)
            assert not cursor.full


def test_an_entry_keeps_id_and_times_alone() -> None:
    lead: Any = {"id": 5, "email": "someone@example.com", "modified_time": "1970-01-01T00:00:01+00:00"}
    assert Entry.from_lead(lead) == Entry(5, None, 1_000_000)
