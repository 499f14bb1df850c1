"""What a watch over a list reports where the newest end does not show all that is new, and what it costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.triggers.watched_list import HONEST, SIZE, Watched, WatchedList

LOOKS = 240
#: As docs/waiting.md says.
INTERVALS_IN_DOUBT, INTERVALS_AT_MOST = 10, 60


def settle(watched: Watched, looks: int = INTERVALS_IN_DOUBT) -> None:
    """Let nothing happen for a while."""
    for _ in watched.looks(looks):
        pass


def drift(served: WatchedList) -> None:
    """Somebody writes at any moment, between two pages as well."""
    match served.chance.randrange(6):
        case 0:
            served.create()
        case 1:
            served.change()


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize("during", [None, drift])
def test_on_an_honest_list_all_is_reported_once_and_nothing_is_read_beside_the_newest_end(
    order: str, during: Callable[[WatchedList], None] | None
) -> None:
    """But for the whole list every sixty looks."""
    watched = Watched(WatchedList(order, during=during))
    served, first = watched.served, watched.served.requests
    for _ in watched.looks(LOOKS):
        for _ in range(served.chance.randrange(8)):
            served.create()
        for _ in range(served.chance.randrange(8)):
            served.change()
    served.during = None
    settle(watched)
    assert watched.missed == set()
    assert len(watched.reported) == len(set(watched.reported))
    if during is drift and order == "modified_time":
        # A lead that changes between two answers takes others out of sight: the whole list finds those.
        return
    wholes = LOOKS // INTERVALS_AT_MOST
    assert watched.whole <= 1 + wholes
    assert served.requests - first < 1.5 * LOOKS + wholes * (len(served.rows) / SIZE + 1)


def test_leads_behind_pinned_ones_are_reported_within_ten_looks() -> None:
    watched = Watched(WatchedList("pinned"))
    for _ in watched.looks(LOOKS):
        if watched.served.chance.random() < 0.3:
            watched.served.create()
        assert len(watched.missed) < 2 * INTERVALS_IN_DOUBT
    settle(watched)
    assert watched.missed == set()
    assert watched.whole <= 1 + (LOOKS + INTERVALS_IN_DOUBT) // INTERVALS_IN_DOUBT


@pytest.mark.parametrize("order", ["created_time", "-created_time", "modified_time", "-modified_time"])
def test_a_backdated_lead_is_reported_at_the_next_look(order: str) -> None:
    watched = Watched(WatchedList(order))
    for turn in watched.looks(LOOKS):
        assert watched.missed == set()
        if turn % 30 == 15:
            watched.served.backdate()
    assert len(watched.reported) == LOOKS // 30
    # The list keeps its order, and its newest end is trusted again.
    assert watched.whole <= 1 + LOOKS // 30 + LOOKS // INTERVALS_AT_MOST


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize(("step", "shuffled"), [(1, True), (3, False), (3, True)])
def test_an_import_that_commits_slowly_is_reported_lead_by_lead(
    order: str, step: int, shuffled: bool
) -> None:
    watched = Watched(WatchedList(order, step=step))
    served = watched.served
    imported, began = served.reserve(1_000), served.now
    if shuffled:
        served.chance.shuffle(imported)
    for turn in watched.looks(200):
        for number in imported[turn * 5 : turn * 5 + 5]:
            served.create(began, number)
        for _ in range(served.chance.randrange(20)):
            served.create()
    settle(watched)
    assert watched.missed == set()
    assert len(watched.reported) == len(set(watched.reported)) > 1_000


def test_leads_that_went_hide_none_that_come_later() -> None:
    watched = Watched(WatchedList("-created_time"))
    for turn in watched.looks(INTERVALS_AT_MOST):
        if turn == 1:
            watched.served.delete()
        if turn == 2:
            watched.served.backdate()
        assert bool(watched.missed) is (2 <= turn < INTERVALS_IN_DOUBT)


def test_where_as_many_leads_go_as_come_hidden_ones_are_reported_within_sixty_looks() -> None:
    watched = Watched(WatchedList("-created_time"))
    for turn in watched.looks(INTERVALS_AT_MOST + 1):
        if turn == 1:
            watched.served.backdate()
            watched.served.delete()
        assert bool(watched.missed) is (1 <= turn < INTERVALS_AT_MOST)


@pytest.mark.parametrize("order", ["pinned", "-created_time", "queue"])
def test_where_count_is_behind_leads_are_reported_within_sixty_looks(order: str) -> None:
    watched = Watched(WatchedList(order, lag=30))
    for _ in watched.looks(LOOKS):
        if watched.served.chance.random() < 0.3:
            watched.served.backdate()
    settle(watched, INTERVALS_AT_MOST)
    assert watched.missed == set()


def test_more_leads_than_a_look_reads_are_reported_at_the_next_whole_reading() -> None:
    watched = Watched(WatchedList("-id"))
    for turn in watched.looks(30):
        if turn == 20:
            for _ in range(600):
                watched.served.create()
        if turn == 21:
            assert watched.missed == set()
    assert sorted(watched.reported) == list(range(401, 1_001))


def test_more_leads_than_a_look_reads_are_reported_although_others_went() -> None:
    watched = Watched(WatchedList("-id"))
    for turn in watched.looks(30):
        if turn == 20:
            for _ in range(400):
                watched.served.delete()
            for _ in range(600):
                watched.served.create()
        if turn == 21:
            assert watched.missed == set()


@pytest.mark.parametrize("order", ["-id", "-created_time", "-modified_time"])
def test_what_comes_between_two_answers_of_a_look_is_no_reason_to_read_the_whole_list(order: str) -> None:
    watched = Watched(WatchedList(order, during=drift))
    for _ in watched.looks(INTERVALS_AT_MOST - 1):
        for _ in range(SIZE + 5):
            watched.served.create()
    assert watched.whole == 1
    watched.served.during = None
    settle(watched, 1)
    assert watched.missed == set()


def test_an_order_that_any_page_contradicts_is_not_looked_for_at_the_newest_end() -> None:
    """The second page begins with pinned leads."""
    watched = Watched(WatchedList("pinned", pinned=SIZE + 10))
    before = watched.served.requests
    settle(watched, INTERVALS_IN_DOUBT - 1)
    assert watched.served.requests == before


def test_a_list_that_shows_no_order_is_read_whole_every_ten_looks() -> None:
    watched = Watched(WatchedList("queue"))
    before = watched.served.requests
    for _ in watched.looks(LOOKS):
        watched.served.create()
    settle(watched)
    assert watched.missed == set()
    assert watched.whole <= 1 + LOOKS // INTERVALS_IN_DOUBT + 1
    # Nothing is read in between.
    assert watched.served.requests - before < watched.whole * len(watched.served.rows) / SIZE
