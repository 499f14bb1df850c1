"""Many waiters share what they ask, and none of them is answered wrongly or late because of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.triggers import polling
from airflow_provider_sela.triggers.leads import SelaLeadTrigger
from tests.support.loop_watch import LoopWatch
from tests.triggers.waits import Reversed, Shuffled, connect, first_event, lead, point_queries, until

#: Long enough that a busy machine's hiccups are small beside it.
INTERVAL = 0.8


def crowd(size: int, **kwargs: object) -> list[asyncio.Task[object]]:
    """Waiters for the external ids w0, w1, …"""
    return [
        asyncio.create_task(
            first_event(
                SelaLeadTrigger(external_id=f"w{number}", poke_interval=INTERVAL, **kwargs),  # type: ignore[arg-type]
                seconds=30,
            )
        )
        for number in range(size)
    ]


async def leave(tasks: Sequence[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("kind", [SelaApi, Reversed])
async def test_waiters_on_an_ordered_list_need_far_fewer_requests_than_one_each(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    with kind(leads=300) as api:
        connect(monkeypatch, api)
        tasks = crowd(40)
        await asyncio.sleep(5 * INTERVAL)
        before, began = len(api.requests), time.monotonic()
        await asyncio.sleep(8 * INTERVAL)
        spent, turns = len(api.requests) - before, 40 * (time.monotonic() - began) / INTERVAL
        await leave(tasks)
    assert spent < turns / 4


@pytest.mark.parametrize("kind", [SelaApi, Reversed, Shuffled])
async def test_every_lead_is_found_within_two_intervals_or_by_its_own_query(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    """On an ordered list that is two intervals; without an order each turn is a query of its own."""
    with kind(leads=300) as api:
        connect(monkeypatch, api)
        tasks = crowd(20)
        await asyncio.sleep(3 * INTERVAL)
        born = {}
        for number in range(20):
            api.add(lead(30_000 + number, external_id=f"w{number}"))
            born[number] = time.monotonic()
            await asyncio.sleep(0.02)
        for number, task in enumerate(tasks):
            event = await task
            assert isinstance(event, dict)
            assert event["ids"] == [30_000 + number]
        assert time.monotonic() - born[19] < 2.5 * INTERVAL


class Hidden(SelaApi):
    """A list whose pages look sorted by id, and which puts some leads where nobody looks for new ones."""

    def select(self, filters: dict[str, str]) -> list[dict[str, object]]:
        leads = super().select(filters)
        return sorted(leads, key=lambda item: (not str(item["external_id"]).startswith("w"), item["id"]))


async def test_a_lead_that_the_shared_reading_cannot_see_is_found_by_the_waiters_own_query_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Hidden(leads=300, page_size=20, max_page_size=20) as api:
        connect(monkeypatch, api)
        tasks = crowd(12)
        await asyncio.sleep(3 * INTERVAL)
        api.add(lead(10, external_id="w3"))
        added = time.monotonic()
        event = await tasks[3]
        assert time.monotonic() - added < polling.POLLS_PER_POINT_QUERY * INTERVAL * 1.2
        assert isinstance(event, dict)
        assert event["ids"] == [10]
        await leave(tasks)


async def test_waiters_for_a_status_are_answered_by_their_own_queries_where_changes_do_not_move_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leads = [lead(30_000 + number, external_id=f"w{number}", status="OPEN") for number in range(10)]
    with SelaApi(leads=[*(lead(number) for number in range(1, 301)), *leads]) as api:
        connect(monkeypatch, api)
        tasks = crowd(10, statuses=["CLOSED"])
        await asyncio.sleep(3 * INTERVAL)
        api.update(30_000, status="CLOSED")
        changed = time.monotonic()
        await tasks[0]
        assert time.monotonic() - changed < 2 * INTERVAL
        await leave(tasks[1:])


class Unlistable(SelaApi):
    """A server that finds single leads and breaks on the whole list."""

    def select(self, filters: dict[str, str]) -> list[dict[str, object]]:
        if not filters:
            raise RuntimeError("too many leads")
        return list(super().select(filters))


async def test_a_list_that_cannot_be_read_does_not_keep_waiters_from_their_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Unlistable(leads=300) as api:
        connect(monkeypatch, api)
        tasks = crowd(10, max_failures=1)
        await asyncio.sleep(4 * INTERVAL)
        assert not any(task.done() for task in tasks)
        api.add(lead(40_000, external_id="w4"))
        event = await tasks[4]
        assert isinstance(event, dict)
        assert event["ids"] == [40_000]
        await leave(tasks)


async def test_few_waiters_ask_for_their_leads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=300) as api:
        connect(monkeypatch, api)
        tasks = crowd(polling.MIN_WAITERS_TO_SHARE - 1)
        await asyncio.sleep(4 * INTERVAL)
        await leave(tasks)
        assert len(list(point_queries(api))) == len(api.requests) > 0


async def test_an_outage_does_not_hide_a_lead_created_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    with Reversed(leads=300, page_size=20, max_page_size=20) as api:
        connect(monkeypatch, api)
        tasks = crowd(10)
        await asyncio.sleep(3 * INTERVAL)
        api.answer_next(503, times=30)
        api.add(lead(40_000, external_id="w4"))
        for number in range(300):
            api.add(lead(40_001 + number))
        event = await tasks[4]
        assert isinstance(event, dict)
        assert event["ids"] == [40_000]
        await leave(tasks)


async def test_a_revoked_token_ends_every_wait_within_about_an_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=300) as api:
        connect(monkeypatch, api)
        tasks = crowd(20)
        await asyncio.sleep(3 * INTERVAL)
        api.token = "another"
        revoked = time.monotonic()
        events = await asyncio.gather(*tasks)
        assert time.monotonic() - revoked < 2 * INTERVAL
        assert {event["error"] for event in events if isinstance(event, dict)} == {"SelaAuthenticationError"}


async def test_a_crowd_does_not_block_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=300, latency=0.3) as api, LoopWatch() as watch:
        connect(monkeypatch, api)
        tasks = crowd(300)
        until = time.monotonic() + 4 * INTERVAL
        blocked = await watch.longest_block(lambda: time.monotonic() > until)
        await leave(tasks)
    assert blocked < 0.1


async def test_a_list_that_shrinks_is_still_read_for_all_its_waiters(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with SelaApi(leads=300, page_size=20, max_page_size=20) as api:
        connect(monkeypatch, api)
        tasks = crowd(10)
        await until(lambda: any(request.query.get("page") == "15" for request in api.requests))
        for number in list(api.leads)[100:]:
            api.delete(number)
        await until(lambda: any(request.status == 404 for request in api.requests))
        api.add(lead(40_000, external_id="w4"))
        event = await tasks[4]
        assert isinstance(event, dict)
        assert event["ids"] == [40_000]
        await leave(tasks)
    assert "cannot be read" not in caplog.text + capsys.readouterr().out


async def test_one_of_two_waiters_for_the_same_lead_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=300) as api:
        connect(monkeypatch, api)
        tasks = [*crowd(polling.MIN_WAITERS_TO_SHARE), *crowd(1)]
        await asyncio.sleep(3 * INTERVAL)
        await leave(tasks[:1])
        api.add(lead(40_000, external_id="w0"))
        event = await tasks[-1]
        assert isinstance(event, dict)
        assert event["ids"] == [40_000]
        await leave(tasks)
