"""SelaLeadTrigger: waits for one lead, against a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.http import async_transport
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.triggers.leads import SelaLeadTrigger
from tests.support.faults import FaultServer, page_body, pages, reply
from tests.triggers.waits import Shrinking, Substring, Unfiltered, connect, first_event, lead, until


def waiting(external_id: str = "wanted", **kwargs: Any) -> SelaLeadTrigger:
    return SelaLeadTrigger(external_id=external_id, **{"poke_interval": 0.2, **kwargs})


async def test_a_lead_that_appears_is_found_and_the_event_names_its_id_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=30) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting(deadline=time.time() + 60)))
        await asyncio.sleep(0.5)
        assert not task.done()
        api.add(lead(29000, external_id="wanted"))
        event = await task
    assert event.pop("deadline") > time.time()
    assert event == {"status": "found", "ids": [29000]}


@pytest.mark.parametrize("kind", [Unfiltered, Substring])
async def test_a_server_that_matches_loosely_does_not_fool_it(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    with kind(leads=[lead(1, external_id="wanted-2"), lead(2, external_id="WANTED"), lead(3)]) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting()))
        await asyncio.sleep(0.6)
        assert not task.done()
        api.add(lead(4, external_id="wanted"))
        assert (await task)["ids"] == [4]


async def test_it_waits_until_the_lead_has_one_of_the_statuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted", status="OPEN")]) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting(statuses=["CLOSED", "LOST"])))
        await asyncio.sleep(0.5)
        assert not task.done()
        api.update(1, status="LOST")
        assert (await task)["ids"] == [1]


async def test_statuses_that_the_triggerer_rendered_to_a_text_are_read_as_the_list_that_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted", status="LOST")]) as api:
        connect(monkeypatch, api)
        assert (await first_event(waiting(statuses="['CLOSED', 'LOST']")))["ids"] == [1]
        rendered = waiting(statuses="{{ params.statuses }}")
        rendered.statuses = "None"
        nothing = await first_event(rendered)
    assert (nothing["status"], nothing["error"]) == ("failed", "SelaRequestError")


async def test_the_deadline_ends_the_wait_also_while_the_server_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=3, latency=30) as api:
        connect(monkeypatch, api)
        started = time.monotonic()
        event = await first_event(waiting(deadline=time.time() + 0.7))
        assert event == {"status": "timeout", "ids": None}
        assert time.monotonic() - started < 1.5


@pytest.mark.parametrize(("status", "ids"), [("OPEN", [1]), (None, [])])
async def test_a_time_out_names_the_leads_whose_status_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    status: str | None,
    ids: list[int],
) -> None:
    leads = [lead(1, external_id="wanted", status=status)] if status else [lead(1)]
    with SelaApi(leads=leads) as api, caplog.at_level(logging.INFO):
        connect(monkeypatch, api)
        event = await first_event(
            waiting(poke_interval=0.1, statuses=["CLOSED"], deadline=time.time() + 2.5), seconds=20
        )
    assert event == {"status": "timeout", "ids": ids}
    logged = caplog.text if "Sela: " in caplog.text else capsys.readouterr().out
    seen = "lead 1 is there" if ids else "none is there"
    assert logged.count("with this external_id and one of the statuses CLOSED: " + seen) == 1
    assert "still waiting after 10 looks until 20" in logged
    assert "OPEN" not in logged
    assert "wanted" not in logged


async def test_a_revoked_token_ends_the_wait_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting()))
        await asyncio.sleep(0.4)
        api.token = "another"
        event = await task
        refused = [request for request in api.requests if request.status == 401]
    assert event["status"] == "failed"
    assert event["error"] == "SelaAuthenticationError"
    assert "sela-test-token" not in json.dumps(event)
    assert len(refused) == 1


async def test_blips_are_waited_out_logged_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted")]) as api:
        connect(monkeypatch, api)
        api.answer_next(503, times=2)
        api.answer_next(500)
        with caplog.at_level(logging.WARNING):
            event = await first_event(waiting())
        assert event["ids"] == [1]
        assert len(api.requests) == 4
    # Airflow 3 logs through structlog to standard output, 2.11 through the standard library.
    logged = caplog.text + capsys.readouterr().out
    assert [f"failure {number} in a row" in logged for number in range(1, 5)] == [True, True, True, False]
    assert "wanted" not in logged


async def test_more_failures_in_a_row_than_allowed_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.answer_next(503, times=100)
        event = await first_event(waiting(max_failures=3))
        assert (event["status"], event["error"]) == ("failed", "SelaUnavailableError")
        assert len(api.requests) == 4


async def test_a_success_between_them_keeps_failures_from_adding_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting(max_failures=1, poke_interval=0.1)))
        for _ in range(3):
            before = len(api.requests)
            api.answer_next(503)
            await until(lambda before=before: len(api.requests) >= before + 3)  # type: ignore[misc]
        assert not task.done()
        api.add(lead(5, external_id="wanted"))
        assert (await task)["status"] == "found"


async def test_retry_after_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pages([{"id": 1, "external_id": "wanted"}], 10)
    with FaultServer(reply(429, b"{}", Retry_After="1"), found) as server:
        connect(monkeypatch, server)
        assert (await first_event(waiting(poke_interval=0.1)))["status"] == "found"
        refused, answered = (request.at for request in server.requests)
        assert 1 <= answered - refused < 2.5


@pytest.mark.parametrize("asked", ["3600", "4000000000"])
async def test_a_retry_after_beyond_the_deadline_does_not_put_it_off(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    with FaultServer(reply(429, b"{}", Retry_After=asked)) as server:
        connect(monkeypatch, server)
        event = await first_event(waiting(poke_interval=0.1, deadline=time.time() + 1))
    assert event == {"status": "timeout", "ids": None}
    assert len(server.requests) == 1


async def test_what_the_server_asked_the_worker_is_obeyed_by_the_trigger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted")]) as api:
        connect(monkeypatch, api)
        started = time.monotonic()
        await first_event(waiting(retry_at=time.time() + 1))
        assert time.monotonic() - started >= 0.95


async def test_intervals_double_as_a_sensors_do_up_to_max_wait() -> None:
    trigger = waiting(poke_interval=10, exponential_backoff=True, max_wait=60)
    assert [trigger._interval(turn) for turn in range(1, 7)] == [10, 10, 20, 40, 60, 60]
    unbounded = waiting(poke_interval=10, exponential_backoff=True)
    assert [unbounded._interval(turn) for turn in range(4, 8)] == [40, 80, 160, 320]
    assert waiting(poke_interval=10)._interval(5) == 10


async def test_nothing_is_left_open_when_the_wait_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting()))
        await until(lambda: api.requests)
        assert async_transport._shared
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not async_transport._shared


async def test_it_survives_serialisation_and_its_repr_tells_nothing_of_the_lead() -> None:
    trigger = waiting("someone@crm", statuses=["CLOSED"], deadline=5.0, max_wait=7.0)
    classpath, kwargs = trigger.serialize()
    assert classpath == "airflow_provider_sela.triggers.leads.SelaLeadTrigger"
    again = SelaLeadTrigger(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == trigger.serialize()
    assert "someone" not in repr(trigger)


async def test_the_connection_is_never_looked_up_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.providers.common.compat.sdk import BaseHook

    look_up = BaseHook.get_connection

    def elsewhere(*args: Any, **kwargs: Any) -> Any:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return look_up(*args, **kwargs)

    with SelaApi(leads=[lead(1, external_id="wanted")]) as api:
        connect(monkeypatch, api)
        monkeypatch.setattr(BaseHook, "get_connection", elsewhere)
        assert (await first_event(waiting()))["status"] == "found"


async def test_an_answer_that_is_no_page_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    good = page_body([{"id": 1, "external_id": "wanted"}])
    with FaultServer(reply(200, b"<html>"), reply(200, good)) as server:
        connect(monkeypatch, server)
        assert (await first_event(waiting()))["status"] == "found"


async def test_a_connection_that_airflow_does_not_find_for_now_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow 3.3 calls a connection not defined while its own database is out of order."""
    with SelaApi(leads=[lead(7, external_id="wanted")]) as api:
        monkeypatch.delenv("AIRFLOW_CONN_SELA_DEFAULT", raising=False)
        task = asyncio.create_task(first_event(waiting(max_failures=50)))
        await until(lambda: "'sela_default' is not defined" in caplog.text + capsys.readouterr().out)
        connect(monkeypatch, api)
        assert (await task)["ids"] == [7]


@pytest.mark.parametrize("external_id", [" ", "", None, "half a \ud83d"])
async def test_an_external_id_that_the_hook_refuses_ends_the_wait_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch, external_id: Any
) -> None:
    """Airflow 3.3 renders the arguments in the triggerer, where no worker has looked at them."""
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        rendered = waiting("{{ params.external_id }}")
        rendered.external_id = external_id
        event = await first_event(rendered)
        with pytest.raises(SelaRequestError) as refused_when_made:
            waiting(external_id)
        with pytest.raises(SelaRequestError) as refused:
            SelaHook().find_leads(external_id)
        with pytest.raises(SelaRequestError) as refused_too:
            await SelaHook().afind_leads(external_id)
        assert api.requests == []
    assert str(refused.value) == str(refused_too.value) == str(refused_when_made.value)
    assert event == {"status": "failed", "error": "SelaRequestError", "message": str(refused.value)}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("statuses", "", "statuses is empty"),
        ("statuses", [], "statuses is an empty list"),
        ("sela_conn_id", "", "sela_conn_id is empty"),
        ("poke_interval", "often", "poke_interval is 'often': expected is a number of seconds, 0 or more"),
        ("poke_interval", -1, "poke_interval is -1: expected is a number"),
        ("exponential_backoff", "maybe", "exponential_backoff is 'maybe': allowed are True and False"),
        ("max_wait", True, "max_wait is True: expected is a number"),
        ("max_failures", 1.5, "max_failures is not a whole number"),
        ("deadline", "tomorrow", "deadline is 'tomorrow'"),
        ("retry_at", float("nan"), "retry_at is nan"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_by_name_when_the_trigger_is_made(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(SelaRequestError, match=message):
        waiting(**{name: value})


async def test_arguments_that_the_triggerer_rendered_to_texts_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts: dict[str, Any] = {"poke_interval": "0.2", "max_failures": "3", "deadline": str(time.time() + 60)}
    with SelaApi(leads=[lead(7, external_id="wanted", status="OPEN")]) as api:
        connect(monkeypatch, api)
        event = await first_event(waiting(statuses="['OPEN']", exponential_backoff="False", **texts))
    assert event["ids"] == [7]


class ShrinkingUnfiltered(Shrinking, Unfiltered):
    pass


async def test_leads_that_leave_during_a_look_are_no_failure_of_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ShrinkingUnfiltered(leads=150) as api:
        connect(monkeypatch, api)
        task = asyncio.create_task(first_event(waiting(max_failures=0)))
        await until(lambda: any(request.status == 404 for request in api.requests))
        api.add(lead(90_000, external_id="wanted"))
        assert (await task)["ids"] == [90_000]
