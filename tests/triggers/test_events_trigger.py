"""SelaLeadsEventTrigger: each new lead once, whatever the order of the list."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.testing import Request, Response, SelaApi, drf, sample_leads
from airflow_provider_sela.triggers import events_trigger as events
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger
from airflow_provider_sela.triggers.watching import whole_look
from tests.triggers.waits import Reversed, Shrinking, Shuffled, connect, lead, until

POLL = 0.05


class ByChange(SelaApi):
    """The list with the lead that changed last first."""

    def select(self, filters: dict[str, str]) -> Any:
        return sorted(super().select(filters), key=lambda item: item["modified_time"], reverse=True)


class Pinned(SelaApi):
    """The list with the newest id first, behind 60 leads that somebody has pinned."""

    def select(self, filters: dict[str, str]) -> Any:
        return sorted(super().select(filters), key=lambda item: (item["id"] >= 28_060, -item["id"]))


class Limited(SelaApi):
    """The list, of which no more than the first pages are shown."""

    shown = 2

    def paginate(self, leads: Any, page: str, page_size: int, query: Any) -> Any:
        found = super().paginate(leads, page, page_size, query)
        return replace(found, next=None) if int(page) >= self.shown else found


class ByCreation(SelaApi):
    """The list with the lead created last first."""

    def select(self, filters: dict[str, str]) -> Any:
        return sorted(super().select(filters), key=lambda item: item["created_time"], reverse=True)


class Store:
    """What Airflow 3.3 gives a watcher to keep its state in."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.data[key]) if key in self.data else default

    async def aset(self, key: str, value: Any) -> None:
        self.data[key] = json.dumps(value)


class Watch:
    """A running trigger and what it has fired."""

    def __init__(self, store: Store | None = None, **kwargs: Any) -> None:
        self.trigger = SelaLeadsEventTrigger(**{"poll_interval": POLL, **kwargs})
        if store is not None:
            self.trigger.asset_state_store = store  # type: ignore[assignment]
        self.events: list[dict[str, Any]] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._task is not None
        assert not self._task.done()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async for event in self.trigger.run():
            self.events.append(event.payload)

    def ids(self, reason: str = "new") -> list[int]:
        return [number for event in self.events if event["reason"] == reason for number in event["ids"]]


@pytest.fixture(autouse=True)
def _short_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STORE_AFTER_SECONDS", 0.05)


async def looked(api: SelaApi, times: int = 2) -> None:
    """Wait until the list was read so often again."""
    before = len(api.requests)
    await until(lambda: len(api.requests) >= before + times)
    await asyncio.sleep(0.15)


@pytest.mark.parametrize("kind", [SelaApi, Reversed, Shuffled, ByChange])
async def test_leads_that_were_there_are_not_new_and_each_later_one_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    with kind(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch() as watch:
            await looked(api, 8)
            assert watch.events == []
            first = [api.add()["id"] for _ in range(3)]
            await until(lambda: len(watch.ids()) >= 3)
            second = [api.add()["id"] for _ in range(120)]
            await until(lambda: len(watch.ids()) >= 123, 20)
            api.update(28_003, status="LOST")
            await looked(api, 8)
        assert watch.ids() == first + second


async def test_the_event_tells_ids_count_and_moment_and_nothing_else_of_a_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch() as watch:
            await looked(api)
            api.add(lead(90_000))
            await until(lambda: watch.events)
    [event] = watch.events
    assert event.pop("watermark") > "2026"
    assert event == {"reason": "new", "ids": [90_000], "count": 1}


async def test_very_many_new_leads_make_several_events_of_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api, page_size=1000)
        async with Watch() as watch:
            await looked(api)
            with api.lock:
                new = [api.add()["id"] for _ in range(1201)]
            await until(lambda: len(watch.ids()) >= 1201)
        assert [event["count"] for event in watch.events] == [500, 500, 201]
        assert watch.ids() == new


@pytest.mark.parametrize("kind", [SelaApi, Reversed, Shuffled])
async def test_a_restart_loses_no_lead_and_reports_none_twice(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    store = Store()
    with kind(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch(store) as before:
            await until(lambda: store.data)
            first = [api.add()["id"] for _ in range(3)]
            await until(lambda: len(before.ids()) >= 3)
            stored = dict(store.data)
            await until(lambda: store.data != stored)
        meanwhile = [api.add()["id"] for _ in range(120)]
        async with Watch(store) as after:
            await until(lambda: len(after.ids()) >= 120)
            last = api.add()["id"]
            await until(lambda: len(after.ids()) >= 121)
            await looked(api, 8)
    assert before.ids() == first
    assert after.ids() == [*meanwhile, last]


async def test_an_event_that_may_not_have_been_taken_over_is_fired_again_rather_than_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "STORE_AFTER_SECONDS", 60)
    store = Store()
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch(store) as before:
            await until(lambda: store.data)
            new = api.add()["id"]
            await until(lambda: before.events)
        async with Watch(store) as after:
            await until(lambda: after.events)
    assert before.ids() == after.ids() == [new]


async def test_leads_that_appear_behind_pinned_ones_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pinned(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch() as watch:
            await looked(api, 8)
            new: list[int] = []
            for number in range(40, 201, 40):
                new += [api.add()["id"] for _ in range(40)]
                await until(lambda: len(watch.ids()) >= number)  # noqa: B023
        assert watch.ids() == new


async def test_backdated_leads_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with ByCreation(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch() as watch:
            await looked(api, 8)
            old = api.leads[28_030]["created_time"]
            new = [api.add(lead(90_000 + number, created_time=old))["id"] for number in range(20)]
            await until(lambda: len(watch.ids()) >= 20)
        assert watch.ids() == new


@pytest.mark.parametrize("kind", [SelaApi, Reversed])
@pytest.mark.parametrize("step", [1, 3])
async def test_an_import_that_commits_slowly_while_others_come_is_reported_lead_by_lead(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi], step: int
) -> None:
    """The ids of its leads were drawn before those of 800 that are there long before them."""
    with kind(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch() as watch:
            await looked(api, 8)
            for start in range(92_000, 92_000 + 800 * step, 200 * step):
                with api.lock:
                    later = [api.add(lead(number)) for number in range(start, start + 200 * step, step)]
                await until(lambda: {item["id"] for item in later} <= set(watch.ids()))  # noqa: B023
            for start in range(91_000, 91_000 + 100 * step, 25 * step):
                with api.lock:
                    imported = [api.add(lead(number)) for number in range(start, start + 25 * step, step)]
                await until(lambda: {item["id"] for item in imported} <= set(watch.ids()))  # noqa: B023
        assert len(watch.ids()) == len(set(watch.ids())) == 900


async def test_more_scattered_leads_than_are_remembered_are_covered_by_a_whole_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store()
    with Reversed(leads=450, page_size=200, max_page_size=200) as api:
        connect(monkeypatch, api, page_size=200)
        async with Watch(store, poll_interval=0.2) as watch:
            await until(lambda: store.data)
            with api.lock:
                new = [api.add(lead(number))["id"] for number in range(90_000, 90_000 + 1_200 * 7, 7)]
            await until(lambda: len(watch.ids()) >= 1_200)
            await until(lambda: json.loads(store.data["sela_leads_cursor"])["ids"]["covered"] == new[-1])
        assert watch.ids() == new
        assert len(json.loads(store.data["sela_leads_cursor"])["ids"]["stretches"]) == 2_000
        assert len(store.data["sela_leads_cursor"]) < 30_000


async def _first(events: Any) -> Any:
    async for event in events:
        return event.payload
    raise AssertionError("the watch ended")


async def test_a_watcher_that_joins_others_begins_with_the_whole_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Reversed(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        trigger = SelaLeadsEventTrigger(poll_interval=POLL)
        async with aclosing(trigger.open_shared_stream(trigger.serialize()[1])) as stream:
            assert (await anext(stream)).whole
            assert not (await anext(stream)).whole
            first = asyncio.create_task(_first(trigger.filter_shared_stream(stream)))
            await until(lambda: any(request.query["page"] == "5" for request in api.requests[-5:]))
            await looked(api, 3)
            new = api.add()["id"]
            assert (await first)["ids"] == [new]


async def test_a_whole_reading_of_ones_own_is_tried_until_it_succeeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=130, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api, max_attempts=1)
        api.answer_next(503, times=2)
        trigger = SelaLeadsEventTrigger(poll_interval=POLL)
        look = await whole_look(trigger.serialize()[1], logging.getLogger("watch"))
    assert look.whole
    assert len(look.entries) == 130
    assert [request.status for request in api.requests] == [503, 503, 200, 200, 200]


async def test_without_a_store_a_restart_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch():
            await looked(api)
        api.add()
        async with Watch() as after:
            await looked(api, 3)
            assert after.events == []


async def test_a_stored_state_that_cannot_be_read_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    store.data["sela_leads_cursor"] = '{"ids": "nonsense"}'
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch(store) as watch:
            await looked(api)
            new = api.add()["id"]
            await until(lambda: watch.events)
    assert watch.ids() == [new]


@pytest.mark.parametrize("kind", [SelaApi, Reversed, Shuffled, ByChange])
async def test_changed_leads_are_reported_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    with kind(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch(on_changed=True) as watch:
            await looked(api, 8)
            new = api.add()["id"]
            api.update(28_005, status="LOST")
            api.update(28_199, status="LOST")
            await until(lambda: len(watch.ids("changed")) >= 2)
            api.update(28_005, status="OPEN")
            await until(lambda: len(watch.ids("changed")) >= 3)
            await looked(api, 8)
    assert watch.ids() == [new]
    *first_two, last = watch.ids("changed")
    assert (sorted(first_two), last) == ([28_005, 28_199], 28_005)


async def test_a_watch_for_changes_reads_the_whole_list_once_to_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch(on_changed=True, poll_interval=60):
            await looked(api, 7)
            await asyncio.sleep(0.3)
    assert [request.query["page"] for request in api.requests] == ["1", "5", "1", "2", "3", "4", "5"]


async def test_a_lead_that_moves_up_in_a_list_sorted_by_change_is_not_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its newest page holds leads of any id, and so does not tell which leads there are."""
    with ByChange(leads=230, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        for number in (28_010, 28_020, 28_015):
            api.update(number, status="LOST")
        async with Watch() as watch:
            await looked(api, 7)
            api.update(28_100, status="LOST")
            new = api.add()["id"]
            await until(lambda: watch.events)
            await looked(api)
    assert watch.ids() == [new]


async def test_filters_are_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch(email="one@example.com") as watch:
            await looked(api)
            api.add(lead(90_000, email="two@example.com"))
            api.add(lead(90_001, email="one@example.com"))
            await until(lambda: watch.events)
            assert all(request.query["email"] == "one@example.com" for request in api.requests)
    assert watch.ids() == [90_001]
    assert "example.com" not in repr(watch.trigger)


async def test_failures_never_end_the_watch_nor_make_it_hammer_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api, max_attempts=1)
        async with Watch() as watch:
            await looked(api)
            token, api.token = api.token, "another"
            before = len(api.requests)
            await asyncio.sleep(1.5)
            assert len(api.requests) - before <= 5
            api.token = token
            new = api.add()["id"]
            await until(lambda: watch.events)
    assert watch.ids() == [new]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("7200", 3600), ("4000000000", 3600), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), ("50", 50)],
)
async def test_a_server_can_silence_a_watch_for_an_hour_at_most(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    asked: str,
    seconds: float,
) -> None:
    logged = ""
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api, max_attempts=1)
        async with Watch():
            await looked(api)
            api.answer_next(429, headers={"Retry-After": asked})
            while "the watch goes on" not in logged:
                await asyncio.sleep(0.05)
                logged += capsys.readouterr().out + caplog.text
    found = re.search(r"the watch goes on in (\d+) s", logged)
    assert found is not None
    # With the jitter of every pause.
    assert seconds <= int(found[1]) <= seconds * 1.1


async def test_watchers_with_the_same_arguments_poll_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.3 shares the stream of triggers with equal keys."""
    shared = pytest.importorskip("airflow.triggers.shared_stream")

    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        manager = shared.SharedStreamManager()
        triggers = [SelaLeadsEventTrigger(poll_interval=POLL) for _ in range(3)]
        assert len({trigger.shared_stream_key() for trigger in triggers}) == 1
        assert SelaLeadsEventTrigger(user=5).shared_stream_key() != triggers[0].shared_stream_key()
        seen: list[list[int]] = [[], [], []]

        async def follow(number: int) -> None:
            trigger = triggers[number]
            stream = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
            async for event in trigger.filter_shared_stream(stream):
                seen[number] += event.payload["ids"]

        tasks = [asyncio.create_task(follow(number)) for number in range(3)]
        await looked(api, 3)
        before = len(api.requests)
        await asyncio.sleep(10 * POLL)
        assert len(api.requests) - before <= 12
        new = api.add()["id"]
        await until(lambda: all(seen))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await manager.stop_all()
    assert seen == [[new]] * 3


@pytest.mark.parametrize(("shown", "told"), [(2, True), (5, False)])
async def test_leads_that_the_server_counts_and_never_shows_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, shown: int, told: bool
) -> None:
    """Half of them, and a tenth, as an estimate may be wrong by."""
    with Limited(leads=sample_leads(105), page_size=20, max_page_size=20) as api:
        api.shown = shown
        connect(monkeypatch, api, page_size=20)
        async with Watch():
            await looked(api, 3 + shown)
    words = "the server counts 65 leads more than it shows; the watch cannot see new ones among them"
    assert (words in caplog.text) is told
    assert ("more than it shows" in caplog.text) is told


@pytest.mark.parametrize(
    "argument",
    [
        *({"poll_interval": value} for value in (0, -1, "", "often", None, True, float("nan"), float("inf"))),
        *({"on_changed": value} for value in ("", "maybe", None)),
        *({"sela_conn_id": value} for value in ("", None)),
    ],
)
def test_an_argument_that_cannot_be_read_is_refused_by_name(argument: dict[str, Any]) -> None:
    with pytest.raises(SelaRequestError, match=f"^{next(iter(argument))} is "):
        SelaLeadsEventTrigger(**argument)


def test_arguments_that_came_as_texts_are_read() -> None:
    """As from an environment variable: the text of False is not true."""
    texts: dict[str, Any] = {"poll_interval": "30", "on_changed": "False"}
    written: dict[str, Any] = {"poll_interval": 30.0, "on_changed": False}
    trigger, same = SelaLeadsEventTrigger(**texts), SelaLeadsEventTrigger(**written)
    assert trigger.serialize() == same.serialize()
    assert trigger.shared_stream_key() == same.shared_stream_key()


def test_its_arguments_are_plain_data_and_an_asset_takes_it() -> None:
    trigger = SelaLeadsEventTrigger(user=5, on_changed=True)
    classpath, kwargs = trigger.serialize()
    assert classpath == "airflow_provider_sela.triggers.leads.SelaLeadsEventTrigger"
    assert SelaLeadsEventTrigger(**json.loads(json.dumps(kwargs))).serialize() == trigger.serialize()
    sdk = pytest.importorskip("airflow.sdk")
    sdk.Asset("leads", watchers=[sdk.AssetWatcher(name="new", trigger=trigger)])


async def test_a_state_that_cannot_be_read_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flaky(Store):
        failures = 3

        async def aget(self, key: str, default: Any = None) -> Any:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("the API server restarts")
            return await super().aget(key, default)

    store = Flaky()
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        store.failures = 0
        async with Watch(store):
            await until(lambda: store.data)
        new = api.add()["id"]
        store.failures = 3
        async with Watch(store) as watch:
            await until(lambda: watch.events)
    assert watch.ids() == [new]


async def test_a_state_that_cannot_be_stored_is_stored_with_the_next_reading(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    class Closed(Store):
        failures = 0

        async def aset(self, key: str, value: Any) -> None:
            if self.failures:
                self.failures -= 1
                raise RuntimeError(f"the API server refuses {value}")
            await super().aset(key, value)

    store = Closed()
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch(store) as before:
            await until(lambda: store.data)
            store.failures, stored = 3, dict(store.data)
            new = api.add()["id"]
            await until(lambda: store.data != stored)
        assert before.ids() == [new]
        async with Watch(store) as after:
            await looked(api, 3)
        assert after.events == []
    logged = caplog.text + capsys.readouterr().out
    assert logged.count("could not be stored (RuntimeError)") >= 3
    assert str(new) not in logged


@pytest.mark.parametrize("kind", [SelaApi, Reversed, Shuffled])
async def test_leads_that_leave_during_a_look_are_no_failure_of_the_watch(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    kind: type[SelaApi],
) -> None:
    class Restless(Shrinking, kind):  # type: ignore[misc, valid-type]
        pass

    with Restless(leads=130, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api)
        async with Watch() as watch:
            await looked(api, 4)
            api.add(lead(90_000))
            await until(lambda: watch.events)
    assert watch.ids() == [90_000]
    assert any(request.status == 404 for request in api.requests)
    assert "in a row" not in caplog.text + capsys.readouterr().out


async def test_a_whole_reading_that_fails_is_begun_again_and_loses_no_lead(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """More leads came while nobody watched than the newest end shows."""

    class Failing(SelaApi):
        good = -1

        def respond(self, request: Request) -> Response:
            self.good -= 1
            return drf.typical(503) if self.good == -1 else super().respond(request)

    store = Store()
    with Failing(leads=130, page_size=50, max_page_size=50) as api:
        connect(monkeypatch, api, max_attempts=1)
        async with Watch(store):
            await until(lambda: store.data)
        meanwhile = [api.add()["id"] for _ in range(120)]
        # The first page, the last one, and then the whole list.
        api.good = 3
        async with Watch(store) as watch:
            await until(lambda: len(watch.ids()) >= 120)
    assert watch.ids() == meanwhile
    assert any(request.status == 503 for request in api.requests)
    assert "failure 1 in a row, the watch goes on" in caplog.text + capsys.readouterr().out


async def test_one_trigger_on_several_assets_works_without_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ambiguous(Store):
        async def aget(self, key: str, default: Any = None) -> Any:
            raise ValueError("2 concrete inlets")

    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        async with Watch(Ambiguous()) as watch:
            await looked(api)
            new = api.add()["id"]
            await until(lambda: watch.events)
    assert watch.ids() == [new]


def test_an_empty_filter_is_refused_when_the_dag_is_read() -> None:
    with pytest.raises(SelaRequestError, match="email is empty"):
        SelaLeadsEventTrigger(email="")


def test_a_poll_interval_of_nothing_is_refused() -> None:
    with pytest.raises(SelaRequestError, match="poll_interval"):
        SelaLeadsEventTrigger(poll_interval=0)
