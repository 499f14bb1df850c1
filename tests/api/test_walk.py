from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.walk import SeenIds, Walk
from airflow_provider_sela.exceptions import SelaPageGoneError, SelaResponseError
from tests.support.memory import traced


def page(count: int, following: int | None, *ids: int, rejects: int = 0) -> Page[Lead]:
    leads: list[Lead] = [{"id": key} for key in ids]
    return Page(count, following, leads, [None] * rejects)


def ids(walk: Walk, answer: Page[Lead]) -> list[int]:
    return [lead["id"] for lead in walk.record(answer)]


def test_a_walk_starts_at_page_1_and_ends_where_next_is_null() -> None:
    walk = Walk()
    assert walk.page == 1
    assert ids(walk, page(3, 2, 10, 11)) == [10, 11]
    assert (walk.page, walk.count, walk.leads) == (2, 3, 2)
    assert ids(walk, page(3, None, 12)) == [12]
    assert walk.page is None


def test_a_lead_that_appears_on_two_pages_is_given_once() -> None:
    walk = Walk()
    ids(walk, page(4, 2, 1, 2))
    assert ids(walk, page(4, None, 2, 3, 3)) == [3]
    assert walk.leads == 3


def test_a_walk_whose_page_is_gone_ends_if_page_1_says_that_the_list_is_shorter() -> None:
    walk = Walk()
    ids(walk, page(9, 2, 1, 2))
    ids(walk, page(9, 3, 3, 4))
    walk.gone()
    assert (walk.page, walk.leads) == (1, 4)
    assert ids(walk, page(4, 2, 5, 2)) == [5]
    assert (walk.page, walk.count, walk.leads) == (None, 4, 5)


def test_a_page_that_is_gone_once_is_read_when_page_1_counts_leads_for_it() -> None:
    walk = Walk()
    ids(walk, page(3, 2, 1, 2))
    walk.gone()
    assert ids(walk, page(3, 2, 1, 2)) == []
    assert walk.page == 2
    assert ids(walk, page(3, None, 3)) == [3]
    assert walk.page is None


def test_a_page_that_stays_gone_although_page_1_counts_leads_for_it_is_an_error() -> None:
    walk = Walk()
    ids(walk, page(3, 2, 1, 2))
    walk.gone()
    ids(walk, page(3, 2, 1, 2))
    with pytest.raises(SelaPageGoneError, match="refuses page 2 twice"):
        walk.gone()


def test_nothing_is_counted_before_the_first_answer() -> None:
    walk = Walk()
    assert (walk.page, walk.count, walk.leads, walk.rejected) == (1, None, 0, 0)


def test_pages_without_anything_new_are_read_until_they_make_up_the_count_and_no_further() -> None:
    """Ten results are counted: after nine there may be a tenth, after ten the server repeats itself."""
    walk = Walk()
    ids(walk, page(10, 2, 1, 2, 3))
    assert ids(walk, page(10, 3, 1, 2, 3)) == []
    assert ids(walk, page(10, 4, 1, 2, 3)) == []
    with pytest.raises(SelaResponseError, match=r"page 4 names a next page .* after 10 results"):
        walk.record(page(10, 5, 1))


def test_rejects_are_counted() -> None:
    walk = Walk()
    ids(walk, page(9, 2, 1, rejects=2))
    ids(walk, page(9, None, rejects=1))
    assert walk.rejected == 3


def test_a_walk_says_what_it_did_not_give() -> None:
    walk = Walk()
    ids(walk, page(9, 2, 1, 2, rejects=1))
    ids(walk, page(9, None, 3))
    assert walk.remarks() == [
        "1 results had no usable id and were left out",
        "the server counts 5 leads more than it showed; a snapshot would read them again",
    ]
    whole = Walk()
    ids(whole, page(1, None, 1))
    assert whole.remarks() == []


def test_an_empty_list_is_one_page() -> None:
    walk = Walk()
    assert ids(walk, page(0, None)) == []
    assert walk.page is None


def test_a_page_that_drift_has_filled_with_known_leads_does_not_end_the_walk() -> None:
    """Rows inserted in front push what was read already onto the next page."""
    walk = Walk()
    ids(walk, page(6, 2, 1, 2))
    assert ids(walk, page(8, 3, 1, 2)) == []
    assert ids(walk, page(8, 4, 3, 4)) == [3, 4]


@pytest.mark.parametrize("repeated", [(1, 2), ()])
def test_a_server_that_repeats_itself_without_end_is_told_and_left(repeated: tuple[int, ...]) -> None:
    walk = Walk()
    ids(walk, page(4, 2, 1, 2))

    def read_on() -> None:
        for number in range(2, 10):
            ids(walk, page(4, number + 1, *repeated))

    with pytest.raises(SelaResponseError, match="would never end"):
        read_on()
    assert walk.leads == 2


def test_a_wrong_count_alone_ends_nothing() -> None:
    walk = Walk()
    for number in range(1, 20):
        assert ids(walk, page(0, number + 1, number)) == [number]
    assert ids(walk, page(99, None, 20)) == [20]


@given(st.lists(st.integers(-300, 300) | st.integers(-(2**63), 2**63 - 1)))
def test_seen_ids_agree_with_a_set(keys: list[int]) -> None:
    known: set[int] = set()
    found = SeenIds()
    for key in keys:
        assert found.add(key) == (key not in known)
        known.add(key)


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_hundred_thousand_neighbouring_ids_take_less_than_half_a_byte_each(shuffled: bool) -> None:
    keys = list(range(28_000, 128_000))
    if shuffled:
        random.Random(0).shuffle(keys)  # noqa: S311 (not for secrets)

    assert traced(_seen, keys).held < 50_000 + 20_000


def _seen(keys: list[int]) -> SeenIds:
    found = SeenIds()
    for key in keys:
        found.add(key)
    return found


def test_the_walk_keeps_no_lead() -> None:
    walk: Any = Walk()
    ids(walk, page(1, None, 5))
    assert not any(isinstance(value, dict | list) for value in vars(walk).values())
