"""Nothing new is missing from a proven read of what is new, whatever happens between reads and during them.

``SELA_SWEEP=20`` makes twenty times as many loads.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from airflow_provider_sela.snapshot import partial
from airflow_provider_sela.snapshot.anchor import Anchor, anchor_of, named_orders
from airflow_provider_sela.snapshot.descent import next_to_first
from airflow_provider_sela.snapshot.doubts import CACHED
from airflow_provider_sela.snapshot.partial import PartialReading
from airflow_provider_sela.snapshot.reach import Reach, Scope
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.windows import Entry, Response, Window
from tests.snapshot.continuing import MINUTE, Loads, response_of
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST, LIARS, SECOND, START
from tests.snapshot.servers import Cache, WrongCount

SWEEP = int(os.environ.get("SELA_SWEEP", "1"))
_MODIFIED = ("modified_time", "-modified_time")


def _hostile(seed: int) -> Iterator[Loads]:
    """Loads of a small list that is written to in every way the model knows, between them and during them."""
    chance = random.Random(seed)  # noqa: S311
    cap, late = chance.choice((8, 12, 20)), chance.choice((0, 0, SECOND // 2, 20 * SECOND, 15 * MINUTE))
    grain = chance.choice((1, 1, SECOND // 4, MINUTE))
    habits = Habits(
        insert=chance.choice((0, 10, 25, 60)),
        delete=chance.choice((0, 15, 40)),
        update=chance.choice((5, 55)),
        between=chance.choice((0.05, 1 / 3, 0.9)),
        late=late,
        future=chance.choice((0, 0, 0.02)),
        grain=grain,
        request=chance.choice((SECOND // 50, SECOND // 10, SECOND)),
        backdated=chance.choice((0, 0, 0.3)),
        comeback=chance.choice((0, 0, 10)),
        lower=chance.choice((0, 0, 0.3)),
        reused=chance.choice((0, 0, 0.3)),
    )
    order = HONEST[seed % 6]
    leads = DriftingList(
        order,
        leads=chance.choice((3 * cap, 8 * cap, 14 * cap)),
        cap=cap,
        habits=habits,
        shuffled_ties=chance.random() < 0.5,
        seed=seed,
    )
    loads = Loads(
        leads,
        chance.choice((Scope.CHANGED, Scope.NEW)) if order in _MODIFIED else Scope.NEW,
        lookback=chance.choice((MINUTE, 10 * MINUTE)),
        concurrency=chance.choice((1, 2, 4)),
        seed=seed,
        lateness=(late + (grain if grain > 1 else 0),),
    )
    loads.load()
    for _ in range(3):
        for _ in range(chance.choice((0, 3, cap // 2, 3 * cap))):
            leads.now += chance.choice((SECOND, 20 * SECOND))
            leads.write()
        sorting = chance.random()
        if sorting < 0.12:
            leads.sort_by(chance.choice(HONEST if sorting < 0.08 else LIARS))
        leads.habits = replace(habits, writes=chance.choice((0, 0, 0.2, 0.5, cap / 10)))
        loads.load()
        yield loads


@pytest.mark.parametrize("block", range(8))
def test_nothing_new_is_missing_after_a_proven_read_of_what_is_new(block: int) -> None:
    outcomes = Counter[str]()
    for seed in range(block * 60 * SWEEP, (block + 1) * 60 * SWEEP):
        for loads in _hostile(seed):
            outcomes[loads.refused[-1]] += 1
            assert not loads.proven or loads.stale() <= loads.excused(), (seed, loads.refused, loads.stale())
    assert outcomes[""] > 50 * SWEEP, "a verdict that is never given is no use"
    assert len(outcomes) > 8, "reasons to read everything were not met"


def _busy(order: str, scope: Scope, seed: int, kind: type[DriftingList] = DriftingList, **more: Any) -> Loads:
    """Loads of a list of 2,000 leads, of which 1 % change between any two."""
    loads = Loads(kind(order, leads=2000, cap=100, seed=seed, **more), scope, seed=seed)
    loads.load()
    for _ in range(6):
        for _ in range(20):
            loads.leads.now += MINUTE
            loads.leads.write()
        loads.leads.habits = Habits(writes=0.5)
        loads.load()
        assert loads.proven
        assert loads.stale() == set()
    return loads


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize("scope", [Scope.CHANGED, Scope.NEW])
def test_what_an_order_shows_is_read_in_a_handful_of_requests(order: str, scope: Scope) -> None:
    loads = _busy(order, scope, seed=3)
    if scope is Scope.NEW or order in _MODIFIED:
        assert loads.refused[1:].count("") == 6
        assert max(loads.requests[1:]) <= 10
    else:
        assert all(f"the list is sorted by {order}" in reason for reason in loads.refused[1:])


@pytest.mark.parametrize("order", HONEST)
def test_a_quiet_list_costs_at_most_six_requests(order: str) -> None:
    loads = Loads(DriftingList(order, leads=3000, seed=1), Scope.NEW)
    for _ in range(3):
        loads.load()
        loads.leads.now += 15 * MINUTE
    assert loads.refused == ["no anchor", "", ""]
    assert max(loads.requests[1:]) <= 6


@pytest.mark.parametrize("order", ["-id", "-created_time", "-modified_time"])
def test_a_count_that_is_kept_for_a_while_hides_nothing_new(order: str) -> None:
    _busy(order, Scope.NEW, 5, WrongCount, ttl=30 * MINUTE)


@pytest.mark.parametrize("order", ["-modified_time", "modified_time"])
def test_many_changes_are_read_in_windows_that_overlap(order: str) -> None:
    loads = Loads(DriftingList(order, leads=3000, cap=100, seed=2), Scope.CHANGED, concurrency=4)
    loads.load()
    for _ in range(700):
        loads.leads.now += SECOND
        loads.leads.write()
    loads.leads.habits = Habits(writes=1.0)
    loads.load()
    assert loads.refused == ["no anchor", ""]
    assert loads.stale() == set()
    assert loads.requests[1] < loads.requests[0] / 2


@pytest.mark.parametrize("order", _MODIFIED)
def test_a_count_above_what_is_known_is_a_reason_to_read_everything(order: str) -> None:
    loads = Loads(DriftingList(order, leads=1000, seed=2), Scope.CHANGED)
    loads.load()
    read = _dialogue(loads.leads, Scope.CHANGED, loads.anchor, _REACH)
    unread = next(lead for lead in loads.table if lead not in read._record.known)
    del loads.table[unread]
    loads.load()
    assert loads.refused[1] == "the server counts 1000 leads, and 999 are known"
    assert unread in loads.table


def test_an_old_lead_that_no_load_has_brought_is_a_reason_to_read_everything() -> None:
    leads = DriftingList("-modified_time", leads=1000, seed=2)
    loads = Loads(leads, Scope.CHANGED)
    loads.load()
    for row in leads.rows()[400:]:
        loads.table.pop(row.id)
    leads._rows = leads._rows[:1000]
    loads.load()
    assert loads.refused[1] == "the list shows old leads that no load before has brought"


def _dialogue(leads: DriftingList, scope: Scope, anchor: Anchor | None, reach: Reach) -> PartialReading:
    reading, tick = PartialReading(leads.cap, scope, reach, anchor), 0
    while not reading.over:
        for window in reading.wanted():
            reading.record(response_of(window, leads.answer(window), tick, tick + 1))
            tick += 2
    return reading


def _anchored(order: str, **changes: object) -> Anchor:
    known = Anchor((order,), START - MINUTE, None, 1000, 1000, START - MINUTE)
    return replace(known, **changes)  # type: ignore[arg-type]


def _shuffled() -> DriftingList:
    leads = DriftingList("id", leads=900)
    random.Random(1).shuffle(leads._rows)  # noqa: S311
    return leads


_REACH = Reach(START - 11 * MINUTE)


@pytest.mark.parametrize(
    ("leads", "anchor", "reason"),
    [
        (DriftingList("-modified_time", leads=60), _anchored("-modified_time"), partial.WHOLE),
        (DriftingList("-modified_time", leads=60, cap=3), _anchored("-modified_time"), partial.SMALL),
        (DriftingList("-created_time", leads=900), _anchored("-modified_time"), partial.OTHERWISE),
        (DriftingList("-modified_time", leads=900), _anchored("unheard of"), partial.OTHERWISE),
        (_shuffled(), None, "the list is not sorted by id"),
        (DriftingList("id", leads=900), None, "the list is sorted by id or created_time"),
        (DriftingList("-modified_time", leads=900, honours_page_size=False), None, "the server"),
        (Cache("-modified_time", leads=900, ttl=MINUTE, tells="expires"), None, CACHED),
    ],
)
def test_what_a_list_does_not_allow_is_told(leads: DriftingList, anchor: Anchor | None, reason: str) -> None:
    refusal = _dialogue(leads, Scope.CHANGED, anchor, _REACH).refusal
    assert refusal.startswith(reason)


@pytest.mark.parametrize("order", _MODIFIED)
def test_a_floor_that_lies_too_deep_is_given_up_at_half_of_the_list(order: str) -> None:
    leads = DriftingList(order, leads=900, cap=50)
    assert _dialogue(leads, Scope.CHANGED, None, Reach(0)).refusal == partial.MANY
    assert leads.requests < 30


def test_a_floor_in_the_future_is_none() -> None:
    leads = DriftingList("-modified_time", leads=900)
    assert _dialogue(leads, Scope.CHANGED, None, Reach(START + 3600 * SECOND)).refusal == partial.FUTURE


def test_without_a_full_read_before_it_more_of_the_list_is_looked_at() -> None:
    leads = DriftingList("-modified_time", leads=900, cap=50)
    reading = _dialogue(leads, Scope.CHANGED, None, _REACH)
    assert str(reading.verdict) == "PROVEN(-modified_time)"
    assert leads.requests == 9
    assert reading.anchor(set(), started=START, lookback=0) is None
    assert (reading.expected, reading.repaired) == (None, 0)


def test_where_another_order_is_possible_more_of_the_list_is_looked_at_before_it_is_given_up() -> None:
    """No lead was changed since it was created, so that both times say the same."""
    leads = DriftingList("-modified_time", leads=900, cap=50)
    leads._rows = [row._replace(modified=row.created) for row in leads._rows]
    leads._rows.sort(key=lambda row: -row.created)
    reading = _dialogue(leads, Scope.CHANGED, _anchored("-modified_time"), _REACH)
    assert reading.refusal.startswith("the list may be sorted by ")
    assert "-created_time" in reading.refusal
    assert leads.requests == 7


@pytest.mark.parametrize("order", _MODIFIED)
def test_samples_come_with_the_first_page_so_that_a_quiet_list_is_waited_for_less_often(order: str) -> None:
    """Each round of requests waits once, whatever the number of connections."""
    rounds = {}
    for cap in (None, 50):
        leads, tick = DriftingList(order, leads=900, cap=50), 0
        reading, rounds[cap] = PartialReading(50, Scope.CHANGED, _REACH, _anchored(order, cap=cap)), 0
        while windows := reading.wanted():
            rounds[cap] += 1
            # The first page last, as an answer may take its time.
            for each, window in enumerate(reversed(windows)):
                ended = tick + len(windows) + each
                reading.record(response_of(window, leads.answer(window), tick + each, ended))
            tick += 2 * len(windows)
        assert str(reading.verdict) == f"PROVEN({order})"
    assert rounds[50] < rounds[None]


_SECOND = Window(2, 41)
"""Behind a first page of 50."""


def test_the_second_window_comes_with_the_first_page_for_who_has_time() -> None:
    leads, tick = DriftingList("-modified_time", leads=900, cap=50), count()
    reach = Reach(leads.answer(Window(2, 45)).entries[-1].modified or 0)

    def rounds(threads: int) -> list[list[Window]]:
        reading, found = PartialReading(50, Scope.CHANGED, reach, _anchored("-modified_time", cap=50)), []
        waiting: list[Window] = []
        while not reading.over:
            out: list[tuple[Window, int]] = []
            while len(out) < threads and (waiting := waiting or reading.wanted()):
                out.append((waiting.pop(0), next(tick)))
            found.append([window for window, _ in out])
            # The first page last, as an answer may take its time.
            for window, started in reversed(out):
                sent, answer = leads.now, leads.answer(window)
                reading.record(response_of(window, answer, started, next(tick), leads.now - sent))
        assert str(reading.verdict) == "PROVEN(-modified_time)"
        return found

    several, alone = rounds(4), rounds(1)
    assert several[0][0] == Window(1, 50)
    assert several[0][3] == _SECOND
    assert len(several) == 3, "the first two windows, the third, the ends"
    assert len(alone) == sum(map(len, several)), "in none of which one is asked for in vain"


def test_a_second_window_that_is_not_needed_is_asked_for_by_nobody_who_has_no_time() -> None:
    leads = DriftingList("-modified_time", leads=900, cap=50)
    reading = _dialogue(leads, Scope.CHANGED, _anchored("-modified_time", cap=50), _REACH)
    assert _SECOND not in reading._record.asked
    assert leads.requests == 5


@pytest.mark.parametrize("cap", range(4, 130))
def test_a_second_window_is_another_one_than_the_first_page(cap: int) -> None:
    second = next_to_first(cap)
    assert second is None or (second.page > 1 and second.offset < cap < second.stop)


def test_a_sample_that_is_the_second_window_is_asked_for_once() -> None:
    leads = DriftingList("-modified_time", leads=900, cap=50)
    for moment in range(START - 997 * SECOND, START, SECOND):
        anchor = _anchored("-modified_time", cap=50)
        reading = PartialReading(50, Scope.CHANGED, Reach(moment), anchor)
        if _SECOND in (foreseen := reading.wanted()):
            break
    assert reading.wanted() == []
    for tick, window in enumerate(foreseen):
        reading.record(response_of(window, leads.answer(window), tick, 10 + tick))
    assert _SECOND not in reading.wanted()
    assert not reading.refusal


def test_samples_of_a_list_that_has_become_shorter_are_taken_again() -> None:
    leads = DriftingList("-modified_time", leads=900, cap=50)
    anchor = _anchored("-modified_time", cap=50, known=2_000_000)
    reading = _dialogue(leads, Scope.CHANGED, anchor, _REACH)
    assert str(reading.verdict) == "PROVEN(-modified_time)"
    assert len([seen for seen in reading._record.observations if seen.window.page > 1 and seen.rows]) == 2
    assert leads.requests == 6


def test_a_cap_that_has_become_smaller_only_costs_a_request() -> None:
    leads = DriftingList("-modified_time", leads=900, cap=20)
    reading = _dialogue(leads, Scope.CHANGED, _anchored("-modified_time", cap=50), _REACH)
    assert str(reading.verdict) == "PROVEN(-modified_time)"
    assert leads.requests <= 7


def test_a_list_without_ids_that_are_settled_is_not_read_by_id() -> None:
    leads = DriftingList("-id", leads=900, cap=50)
    assert _dialogue(leads, Scope.NEW, _anchored("-id"), _REACH).refusal == partial.MANY


@pytest.mark.parametrize(
    ("order", "reason", "requests"),
    [
        ("modified_time", partial.NO_END, 6),
        ("-modified_time", "sorted by -modified_time, but its newest end could not be read last", 11),
    ],
)
def test_a_newest_end_that_is_gone_is_looked_for_again_and_then_given_up(
    order: str, reason: str, requests: int
) -> None:
    leads, tick = DriftingList(order, leads=900, cap=50), 0
    reading = PartialReading(50, Scope.CHANGED, _REACH, _anchored(order))
    while not reading.over:
        for window in reading.wanted():
            # As after most leads were deleted.
            gone = tick > 0 and (window.page == 1 if order.startswith("-") else tick > 4)
            reading.record(replace(response_of(window, leads.answer(window), tick, tick + 1), gone=gone))
            tick += 2
    assert reading.refusal == reason
    assert leads.requests == requests


def test_a_server_without_a_first_page_is_not_read() -> None:
    reading = PartialReading(50, Scope.CHANGED, _REACH)
    for window in reading.wanted():
        reading.record(Response(window, [], 0, False, None, 0, 1, gone=True))
    assert reading.refusal == partial.NO_END


def test_leads_without_times_leave_nothing_to_go_on_from() -> None:
    entries = [Entry(lead, None, None) for lead in range(1, 101)]
    reading = PartialReading(10, Scope.NEW, Reach(0, 90), _anchored("id", low_id=90))
    tick = 0
    while not reading.over:
        for window in reading.wanted():
            shown = entries[window.offset : window.stop]
            more = window.stop < 100
            reading.record(Response(window, shown, 100, more, START, tick, tick + 1, gone=not shown))
            tick += 2
    assert str(reading.verdict) == "PROVEN(id)"
    left = reading.anchor(set(range(101)), started=START, lookback=MINUTE)
    assert left is not None
    assert left.low_id == 90, "what is settled stays settled"


def test_a_newest_end_without_times_leaves_nothing_to_go_on_from() -> None:
    record = Record(10)
    for page, created in ((1, None), (2, START)):
        entries = [Entry(10 * page + rank, created and created - rank, created) for rank in range(10)]
        record.add(Response(Window(page, 10), entries, 20, page == 1, START, 2 * page, 2 * page + 1))
    orders = named_orders(["-created_time"])
    assert anchor_of(record, orders, started=START, lookback=0, known=20, full=START) is None
