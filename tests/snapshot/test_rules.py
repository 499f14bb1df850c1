"""Each rule of the proof on the smallest list that needs it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sela.snapshot.attempts import LATENESS
from airflow_provider_sela.snapshot.contradictions import contradicted
from airflow_provider_sela.snapshot.coverage import Stretch
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.proof import Proof, prove
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Entry, Observation, Response, Window
from tests.snapshot.drifting import DriftingList, Habits

ID = Order("id", descending=False)
NEWEST_ID = Order("id", descending=True)
CREATED = Order("created_time", descending=False)
CREATED_ID = Order("created_time", descending=False, ties="id")
CHANGED = Order("modified_time", descending=False)
LAST_CHANGED = Order("modified_time", descending=True)
LONG_AGO = -1000


def ids(*values: int) -> list[Entry]:
    return [Entry(value, value, value) for value in values]


def times(*pairs: tuple[int, int]) -> list[Entry]:
    """Leads by id and time, created and modified alike."""
    return [Entry(lead, time, time) for lead, time in pairs]


def answer(
    at: int,
    window: tuple[int, int],
    entries: Iterable[Entry],
    count: int,
    *,
    date: int | None = LONG_AGO,
    until: int | None = None,
    took: int | None = None,
) -> Observation:
    """A response that began at tick ``at`` and took one tick, or lasted ``until``."""
    page = Window(*window)
    ended = at + 1 if until is None else until
    return Observation(Response(page, list(entries), count, page.stop < count, date, at, ended, took=took))


def proof(order: Order, *observations: Observation, lateness: int = 0) -> Proof:
    known: dict[int, int] = {}
    for seen in observations:
        for lead in seen.ids:
            known[lead] = min(seen.ended, known.get(lead, seen.ended))
    return prove(
        order,
        observations,
        Floors(observations, lateness),
        lambda seen, before: any(known[lead] >= before for lead in seen.ids),
        len(known),
    )


def test_windows_that_share_a_lead_join_and_windows_that_only_touch_do_not() -> None:
    end = answer(8, (2, 3), ids(40, 50), 5)
    again = answer(10, (2, 3), ids(40, 50), 5)
    touching = proof(ID, answer(0, (1, 3), ids(10, 20, 30), 5), end, again)
    assert [gap.ends for gap in touching.gaps] == [((31,), (39,))]
    assert "gaps (1)" in touching.flaw
    sharing = proof(ID, answer(0, (1, 4), ids(10, 20, 30, 40), 5), end, again)
    assert sharing.flaw == ""


def test_consecutive_ids_leave_no_room_between_windows() -> None:
    end = answer(8, (2, 3), ids(13, 50), 5)
    assert (
        proof(ID, answer(0, (1, 3), ids(10, 11, 12), 5), end, answer(10, (2, 3), ids(13, 50), 5)).flaw == ""
    )


def test_windows_that_share_only_leads_of_one_time_do_not_join() -> None:
    """The third lead of that time may have been outside of both."""
    start = answer(0, (1, 3), times((1, 10), (2, 20), (3, 20)), 5)
    end = answer(8, (2, 2), times((3, 20), (5, 30)), 4)
    again = answer(10, (2, 2), times((3, 20), (5, 30)), 4)
    assert proof(CREATED, start, end, again).gaps[0].tied
    assert proof(CREATED_ID, start, end, again).flaw == ""


def test_a_lead_without_a_time_at_the_edge_of_a_window_moves_no_end_of_what_it_proves() -> None:
    timeless = [Entry(7, None, None)]
    start = answer(0, (1, 7), [*times(*((lead, lead * 10) for lead in range(1, 7))), *timeless], 8)
    end = [answer(at, (2, 4), [*times((5, 50), (6, 60)), *timeless, *times((8, 80))], 8) for at in (8, 10)]
    assert proof(CREATED, start, *end).flaw == ""


def test_a_list_is_read_from_its_first_rank() -> None:
    rest = answer(0, (2, 1), ids(20), 3), answer(2, (2, 2), ids(20, 30), 3), answer(4, (2, 2), ids(20, 30), 3)
    assert proof(ID, *rest).gaps[0].ends[0] < (-(10**30),)


def test_a_floor_is_the_newest_key_if_the_server_clock_is_ahead() -> None:
    first = answer(0, (1, 9), times((1, 3)), 1, date=8)
    assert Floors([first, seen := answer(2, (1, 9), times((1, 3)), 1, date=8)], 0).of(seen) == 3


def test_a_floor_is_an_earlier_date_if_a_lead_is_dated_into_the_future() -> None:
    first = answer(0, (1, 9), times((1, 900)), 1, date=5)
    seen = answer(2, (1, 9), times((1, 900)), 1, date=7)
    assert Floors([first, seen], 0).of(seen) == 5
    assert Floors([first, seen], 2).of(seen) == 3
    assert Floors([first, seen], 0).of(first) is None


def test_a_floor_takes_no_date_of_a_response_that_was_under_way() -> None:
    first = answer(0, (1, 9), times((1, 900)), 1, date=5)
    slow = answer(2, (1, 9), times((1, 900)), 1, date=6, until=9)
    seen = answer(4, (1, 9), times((1, 900)), 1, date=7)
    assert Floors([first, slow, seen], 0).of(seen) == 5


def test_a_floor_is_the_responses_own_date_less_the_time_that_its_request_took() -> None:
    first = answer(0, (1, 9), times((1, 900)), 1, date=50, took=8)
    assert Floors([first], 0).of(first) == 42
    assert Floors([first], 2).of(first) == 40
    for date, took in ((50, None), (None, 8)):
        seen = answer(0, (1, 9), times((1, 900)), 1, date=date, took=took)
        assert Floors([seen], 0).of(seen) is None
    known = answer(0, (1, 9), times((1, 30)), 1, date=50, took=8)
    assert Floors([known], 0).of(known) == 30
    slow = answer(2, (1, 9), times((1, 900)), 1, date=60, took=30)
    assert Floors([answer(0, (1, 9), times((1, 900)), 1, date=50), slow], 0).of(slow) == 50


@pytest.mark.parametrize(("took", "covered"), [(10, True), (150, False)])
def test_a_window_that_was_on_its_way_for_long_proves_nothing_of_what_changed_meanwhile(
    took: int, covered: bool
) -> None:
    """Lead 9 jumped from 25 to 110, after the rows of the first window were taken and before it was dated."""
    rest = answer(0, (1, 4), times((7, 900), (1, 100), (2, 90), (3, 30)), 7, until=2, date=200, took=took)
    tail = answer(4, (2, 5), times((2, 90), (3, 30), (4, 20)), 9, date=200, took=1)
    close = answer(8, (1, 3), times((8, 930), (7, 900), (5, 150)), 8, date=200, took=1)
    assert not any(9 in seen.ids for seen in (rest, tail, close))
    assert proof(LAST_CHANGED, rest, tail, close).covered is covered


def test_a_window_proves_nothing_above_the_floor() -> None:
    """Lead 9 jumped from 50 to 110, above all that the window at tick 4 had shown."""
    probe = answer(0, (1, 2), times((1, 100), (2, 90)), 6, date=200)
    base = answer(2, (1, 2), times((1, 100), (2, 90)), 6, date=200)
    rest = answer(4, (1, 6), times((7, 120), (1, 100), (2, 90), (3, 30), (4, 20)), 6, date=200)
    close = answer(6, (1, 1), times((8, 130)), 6, date=200)
    assert proof(LAST_CHANGED, probe, base, rest, close).gaps
    wide = answer(6, (1, 5), times((8, 130), (7, 120), (9, 110), (1, 100), (2, 90)), 6, date=200)
    assert not proof(LAST_CHANGED, probe, base, rest, wide).gaps


def test_the_newest_end_is_read_last() -> None:
    probe = answer(0, (1, 3), ids(50, 40, 30), 5)
    tail = answer(2, (2, 3), ids(20, 10), 5)
    join = answer(4, (2, 2), ids(30, 20), 5)
    assert "could not be read last" in proof(NEWEST_ID, probe, tail, join).flaw
    assert proof(NEWEST_ID, probe, tail, join, answer(6, (1, 3), ids(50, 40, 30), 5)).flaw == ""
    sent_as_the_others_ended = answer(5, (1, 3), ids(50, 40, 30), 5)
    assert "could not be read last" in proof(NEWEST_ID, probe, tail, join, sent_as_the_others_ended).flaw


def test_a_missing_date_header_refuses_the_proof_of_a_list_sorted_by_changes() -> None:
    seen = [answer(2 * n, (1, 3), times((1, 100), (2, 90)), 2, date=None) for n in range(3)]
    assert "no Date header" in proof(LAST_CHANGED, *seen).flaw


def test_the_newest_end_is_not_believed_while_it_shows_leads_that_are_new() -> None:
    """An arrival in the count's shadow may have cut a lead off that was changed at that moment."""
    start = answer(0, (1, 4), ids(10, 20, 30, 40), 5)
    end = answer(2, (2, 3), ids(40, 50), 5)
    assert "arrivals never paused" in proof(ID, start, end).flaw
    assert proof(ID, start, end, answer(4, (2, 3), ids(40, 50), 5)).flaw == ""


def test_a_response_that_is_shorter_than_its_count_has_reached_the_end() -> None:
    start = answer(0, (1, 4), ids(10, 20, 30, 40), 6)
    assert proof(ID, start, answer(2, (2, 3), ids(40, 50), 6)).flaw == ""
    assert "arrivals never paused" in proof(ID, start, answer(2, (2, 3), ids(40, 50), 5)).flaw


@pytest.mark.parametrize(
    ("front", "count", "begin", "believed"),
    [
        ((50, 40, 30, 20), 5, 4, True),
        ((60, 50, 40, 30), 5, 4, False),
        ((50, 40, 30, 20), 6, 4, False),
        ((50, 40, 30, 20), 5, 3, False),
        ((50, 40, 30, 20), 5, 2, False),
    ],
    ids=["quiet", "an arrival", "the count grew", "sent as it ended", "not sent after it"],
)
def test_the_oldest_end_is_believed_if_nothing_came_in_at_the_newest(
    front: tuple[int, ...], count: int, begin: int, believed: bool
) -> None:
    first = answer(0, (1, 4), ids(50, 40, 30, 20), 5)
    tail = answer(2, (2, 3), ids(20, 10), 5)
    assert proof(NEWEST_ID, first, tail, answer(begin, (1, 4), ids(*front), count)).ended is believed


def test_the_oldest_end_is_not_believed_if_the_newest_was_too_full_to_show_arrivals() -> None:
    """Known leads that were changed may fill a whole page above a lead that was added."""
    probe = answer(0, (1, 2), times((1, 100), (2, 90)), 4, date=95)
    base = answer(2, (1, 2), times((1, 100), (2, 90)), 4, date=95)
    middle = answer(4, (2, 1), times((2, 90)), 4, date=95)
    tail = answer(6, (2, 2), times((3, 30), (4, 20)), 4, date=95)
    full = answer(8, (1, 2), times((2, 140), (1, 130)), 4, date=95)
    assert not proof(LAST_CHANGED, probe, base, middle, tail, full).ended
    enough = answer(8, (1, 2), times((1, 130), (2, 90)), 4, date=95)
    assert proof(LAST_CHANGED, probe, base, middle, tail, enough).ended
    as_old_as_the_floor = answer(8, (1, 2), times((1, 130), (2, 95)), 4, date=95)
    assert not proof(LAST_CHANGED, probe, base, middle, tail, as_old_as_the_floor).ended


def test_a_count_above_all_leads_seen_refuses_the_proof() -> None:
    start = answer(0, (1, 4), ids(10, 20, 30, 40), 5)
    end = answer(2, (2, 3), ids(40, 50), 5)
    last = answer(4, (3, 2), ids(40, 50), 6)
    assert "counts more leads than it shows" in proof(ID, start, end, last).flaw


def refutes(found: Proof, stretch: Stretch, seen: list[Observation]) -> bool:
    """Whether some lead that a stretch lacks contradicts it, looked for one by one."""
    issued = max(lead for each in seen if each.ended <= stretch.seen.ended for lead in each.ids)
    shown = {lead: [each for each in seen if lead in each.ids] for each in seen for lead in each.ids}
    for lead, by in shown.items():
        places = {found.order.position(each, list(each.ids).index(lead)) for each in by}
        place = places.pop()
        if not places and place and stretch.low < place < stretch.high and stretch.seen not in by:
            existed = lead < issued or any(each.ended < stretch.seen.started for each in by)
            if existed and any(each.started > stretch.seen.ended for each in by):
                return True
    return False


def test_a_lead_seen_before_and_after_a_window_that_lacks_it_testifies_against_the_order() -> None:
    before = answer(0, (1, 4), times((7, 10), (5, 20), (3, 30)), 4)
    within = answer(2, (1, 4), times((7, 10), (3, 30), (9, 40)), 4)
    after = answer(4, (1, 4), times((7, 10), (5, 20), (3, 30), (9, 40)), 4)
    assert contradicted(proof(CREATED, before, within, after), [before, within, after])
    assert not contradicted(proof(CREATED, before, after), [before, after])
    alone = answer(2, (1, 4), times((7, 10), (3, 30), (9, 40)), 4), answer(4, (1, 4), times((11, 20)), 4)
    assert not contradicted(proof(CREATED, *alone), alone)


@pytest.mark.parametrize(("before", "after", "testifies"), [(1, 4, True), (2, 4, False), (1, 3, False)])
def test_a_lead_testifies_only_if_it_was_seen_strictly_before_and_after(
    before: int, after: int, testifies: bool
) -> None:
    """The lead with the highest id: it may have been created in between."""
    first = answer(0, (1, 4), times((7, 10), (12, 20), (3, 30)), 3, until=before)
    within = answer(2, (1, 4), times((7, 10), (3, 30)), 2)
    last = answer(after, (1, 4), times((7, 10), (12, 20), (3, 30)), 3)
    assert contradicted(proof(CREATED, first, within, last), [first, within, last]) is testifies


def test_a_lead_with_an_id_given_out_before_a_window_that_lacks_it_testifies_too() -> None:
    window = answer(0, (1, 3), ids(10, 30, 40), 4)
    late = answer(2, (1, 4), ids(10, 20, 30, 40), 4)
    assert contradicted(proof(ID, window, late), [window, late])
    arrival = answer(2, (1, 4), ids(10, 30, 40, 50), 4)
    assert not contradicted(proof(ID, window, arrival), [window, arrival])


@settings(max_examples=1000)
@given(
    st.sampled_from([ID, CREATED, CREATED_ID, CHANGED, LAST_CHANGED]),
    st.lists(
        st.tuples(st.integers(1, 2), st.integers(2, 4), st.sets(st.integers(0, 4), max_size=2)),
        min_size=3,
        max_size=4,
    ),
)
def test_answers_contradict_each_other_if_some_lead_does_looked_for_one_by_one(
    order: Order, asked: list[tuple[int, int, set[int]]]
) -> None:
    """Answers that agree at all common ranks are not looked at any closer."""
    leads = [(lead, lead // 2 * 10) for lead in range(5)]
    if order.descending:
        leads.reverse()
    seen = []
    for place, (page, size, hidden) in enumerate(asked):
        listed = [Entry(lead, time, time) for lead, time in leads if lead not in hidden]
        window = Window(page, size)
        seen.append(answer(2 * place, window, listed[window.offset : window.stop], len(listed)))
    found = proof(order, *seen)
    assert contradicted(found, seen) is any(refutes(found, each, seen) for each in found.stretches)


@pytest.mark.parametrize(
    ("window", "shown", "others", "theirs"),
    [
        pytest.param((1, 4), ids(1, 2, 3), (1, 4), ids(1, 2, 3, 4), id="beyond the end"),
        pytest.param((2, 2), ids(3, 5), (1, 2), ids(3, 4), id="no common rank"),
        pytest.param(
            (1, 3), [*ids(1, 9), Entry(5, None, None)], (2, 2), [Entry(5, None, None), *ids(7)], id="no time"
        ),
    ],
)
def test_answers_contradict_each_other_even_if_they_agree_at_all_common_ranks(
    window: tuple[int, int], shown: list[Entry], others: tuple[int, int], theirs: list[Entry]
) -> None:
    count = (window[0] - 1) * window[1] + len(shown)
    before, after = answer(0, others, theirs, count + 1), answer(4, others, theirs, count + 1)
    seen = [before, answer(2, window, shown, count), after]
    assert contradicted(proof(CREATED, *seen), seen)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=12),
    st.sampled_from([CREATED, CREATED_ID, LAST_CHANGED]),
    st.integers(-21, 21),
    st.integers(-21, 21),
)
def test_the_ranks_inside_a_stretch_are_those_of_the_leads_whose_place_is(
    keys: list[int | None], order: Order, low: int, high: int
) -> None:
    shown = iter(sorted((key for key in keys if key is not None), reverse=order.descending))
    moved = [None if key is None else next(shown) for key in keys]
    seen = answer(0, (1, 12), [Entry(rank, key, key) for rank, key in enumerate(moved)], 12)
    places = [order.position(seen, rank) for rank in range(len(keys))]
    expected = [rank for rank, place in enumerate(places) if place and (low,) < place < (high,)]
    assert list(order.inside(seen, (low,), (high,))) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([CHANGED, LAST_CHANGED]),
    st.sampled_from((0.0, 0.3, 3.0, 12.0)),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
def test_what_is_no_proof_for_the_least_lateness_is_none_for_more(
    order: Order, writes: float, most: int, seed: int
) -> None:
    """Which is why the least is tried second."""
    drifting = DriftingList(str(order), leads=900, cap=50, habits=Habits(writes=writes), seed=seed)
    reading, seen = Reading(50), list[Observation]()
    while reading.verdict is None and len(seen) < most:
        for window in reading.wanted():
            answered, tick = drifting.answer(window), 2 * len(seen)
            response = Response(
                window, answered.entries, answered.count, answered.has_next, answered.date, tick, tick + 1
            )
            reading.record(response)
            seen.append(Observation(response))
    least, *others = (bool(proof(order, *seen, lateness=late).flaw) for late in reversed(LATENESS))
    assert all(others) or not least
