"""SelaLeadSensor without a DAG run: what it gives and how it fails, in the worker's part of each mode."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from airflow_provider_sela.exceptions import SelaRequestError, SelaResponseError, SelaUnavailableError
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.testing import SelaApi
from tests.support.tasks import rendered
from tests.triggers.waits import Substring, Unfiltered, connect, lead


class Pushed:
    """A task instance that keeps what is pushed."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.try_number = 1

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def sensor(**kwargs: Any) -> SelaLeadSensor:
    return SelaLeadSensor(
        **{"task_id": "wait", "external_id": "wanted", "poke_interval": 0.1, "timeout": 5, **kwargs}
    )


MODES = [{"mode": "poke"}, {"deferrable": True}]


class Ending(SelaLeadSensor):
    """A user's own sensor, whose look ends otherwise."""

    error: Exception

    def poke(self, context: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "hiding", "words"),
    [
        (AirflowSkipException("enough"), {}, "enough"),
        (ValueError("a mistake"), {"never_fail": True}, "never_fail"),
        (AirflowTaskTimeout("execution_timeout"), {"soft_fail": True}, "soft_fail"),
    ],
)
def test_a_skip_that_is_no_time_out_is_not_told_as_one(
    error: Exception, hiding: dict[str, Any], words: str
) -> None:
    task = Ending(task_id="wait", external_id="wanted", timeout=5, **hiding)
    task.error = error
    with pytest.raises(AirflowSkipException, match=words):
        task.execute({})


@pytest.mark.parametrize("mode", MODES)
def test_a_lead_that_is_there_is_given_at_once_as_the_api_sends_it(
    monkeypatch: pytest.MonkeyPatch, mode: dict[str, Any]
) -> None:
    wanted = lead(7, external_id="wanted", new_field={"deep": [1, "ä"]})
    with SelaApi(leads=[lead(1), wanted]) as api:
        connect(monkeypatch, api)
        assert sensor(**mode).execute({}) == wanted


def test_of_several_leads_the_one_created_last_is_given_and_all_ids_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = ["2026-01-02T00:00:00-08:00", "2026-01-02T05:00:00+00:00", None]
    leads = [lead(n, external_id="wanted", created_time=at) for n, at in enumerate(times, 1)]
    with SelaApi(leads=leads) as api:
        connect(monkeypatch, api)
        ti = Pushed()
        assert sensor().execute({"ti": ti})["id"] == 1
        assert ti.xcoms == {"lead_ids": [1, 2, 3]}


@pytest.mark.parametrize("kind", [Unfiltered, Substring])
def test_a_server_that_matches_loosely_does_not_fool_it(
    monkeypatch: pytest.MonkeyPatch, kind: type[SelaApi]
) -> None:
    with kind(leads=[lead(1, external_id="wanted-2"), lead(2)]) as api:
        connect(monkeypatch, api)
        with pytest.raises(AirflowSensorTimeout):
            sensor(timeout=0.3).execute({})


@pytest.mark.parametrize("statuses", [["CLOSED", "LOST"], "LOST", ("LOST",)])
def test_it_waits_for_one_of_the_statuses(monkeypatch: pytest.MonkeyPatch, statuses: Any) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted", status="OPEN")]) as api:
        connect(monkeypatch, api)
        waiting = sensor(statuses=statuses)
        assert not waiting.poke({})
        api.update(1, status="LOST")
        assert waiting.execute({})["status"] == "LOST"


@pytest.mark.parametrize("hiding", [{}, {"soft_fail": True}, {"silent_fail": True}, {"never_fail": True}])
@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_token_fails_at_once_and_without_a_retry_whatever_hides_failures(
    monkeypatch: pytest.MonkeyPatch, mode: dict[str, Any], hiding: dict[str, Any]
) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.token = "another"
        with pytest.raises(AirflowFailException, match="SelaAuthenticationError") as caught:
            sensor(**mode, **hiding).execute({})
        assert not isinstance(caught.value, AirflowSkipException)
        assert len(api.requests) == 1
    assert "sela-test-token" not in str(caught.value)


@pytest.mark.parametrize("hiding", [{}, {"soft_fail": True}])
def test_a_wrong_token_seen_by_the_trigger_fails_the_task_too(hiding: dict[str, Any]) -> None:
    event = {"status": "failed", "error": "SelaAuthenticationError", "message": "connection 'x': HTTP 401"}
    with pytest.raises(AirflowFailException, match="HTTP 401"):
        sensor(deferrable=True, **hiding).resume_execution("resume", {"event": event}, {})


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_an_external_id_that_rendered_to_nothing_waits_for_nothing(
    monkeypatch: pytest.MonkeyPatch, empty: str | None
) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        with pytest.raises(AirflowFailException, match="external_id is empty"):
            rendered(SelaLeadSensor, external_id=empty).execute({})
        assert not api.requests


def test_blips_do_not_fail_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted")]) as api:
        connect(monkeypatch, api)
        api.answer_next(503, times=3)
        assert sensor().execute({})["id"] == 1
        assert len(api.requests) == 4


@pytest.mark.parametrize("hiding", [{}, {"soft_fail": True}, {"never_fail": True}])
def test_too_many_failures_in_a_row_fail_the_try_and_can_be_retried(
    monkeypatch: pytest.MonkeyPatch, hiding: dict[str, Any]
) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.answer_next(503, times=10)
        with pytest.raises(SelaUnavailableError):
            sensor(max_failures=2, **hiding).execute({})
        assert len(api.requests) == 3


def test_too_many_failures_seen_by_the_trigger_end_alike() -> None:
    event = {"status": "failed", "error": "SelaUnavailableError", "message": "HTTP 503"}
    with pytest.raises(SelaUnavailableError):
        sensor(deferrable=True, soft_fail=True).resume_execution("resume", {"event": event}, {})


def test_retry_after_is_waited_for_between_pokes(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted")]) as api:
        connect(monkeypatch, api)
        api.answer_next(429)
        started = time.monotonic()
        assert sensor().execute({})["id"] == 1
        assert time.monotonic() - started >= 1


@pytest.mark.parametrize("asked", ["3600", "4000000000"])
def test_a_retry_after_beyond_the_time_out_keeps_no_poking_sensor_asleep(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """The time-out comes when it should, and the server is not asked before it wants to be."""
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.answer_next(429, headers={"Retry-After": asked})
        started = time.monotonic()
        with pytest.raises(AirflowSensorTimeout):
            # Longer than the first look takes, which imports what reads.
            sensor(timeout=5).execute({})
        assert 5 <= time.monotonic() - started < 20
        assert len(api.requests) == 1


@pytest.mark.parametrize("asked", ["3600", "4000000000"])
def test_a_retry_after_beyond_the_time_out_is_rescheduled_for_the_time_out(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    task = sensor(mode="reschedule", timeout=60)
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.answer_next(429, headers={"Retry-After": asked})
        task.poke({})
    assert task._get_next_poke_interval(time.monotonic(), lambda: 20.0, 1) == 40


class Store(dict[str, Any]):
    """What Airflow 3.3 keeps for a rescheduled task, each look of which is another process."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_a_count_kept_by_airflow_limits_failures_over_reschedules_of_a_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.providers.common.compat.sdk import AirflowException

    ti = Pushed()
    context: Any = {"task_state_store": Store(), "ti": ti}
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.answer_next(503, times=2)
        for looks, failures in ((1, 1), (2, 2), (3, 0)):
            sensor(mode="reschedule", max_failures=2).poke(context)
            assert context["task_state_store"] == {"sela_wait_1": {"looks": looks, "failures": failures}}
        api.answer_next(503, times=4)
        for _ in range(2):
            sensor(mode="reschedule", max_failures=2).poke(context)
        with pytest.raises(AirflowException):
            sensor(mode="reschedule", max_failures=2).poke(context)
        ti.try_number = 2
        sensor(mode="reschedule", max_failures=2).poke(context)
    assert context["task_state_store"]["sela_wait_2"] == {"looks": 1, "failures": 1}


def said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """What was logged: Airflow 3 writes it to standard output, 2.11 hands it to the standard library too."""
    return caplog.text if "Sela: " in caplog.text else "".join(capfd.readouterr())


def test_it_says_what_it_waits_for_at_the_first_look_and_at_every_tenth_that_it_still_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with SelaApi(leads=[lead(1, external_id="wanted", status="OPEN")]) as api:
        connect(monkeypatch, api)
        with pytest.raises(AirflowSensorTimeout):
            sensor(poke_interval=0.01, timeout=3, statuses=["CLOSED"]).execute({})
        looks = len(api.requests)
    logged = said(caplog, capfd)
    seen = "lead 1 is there, with a status that is not waited for"
    assert logged.count(f"with this external_id and one of the statuses CLOSED: {seen}") == 1
    assert logged.count("still waiting after") == (looks - 1) // 10 > 1
    assert "OPEN" not in logged
    assert "wanted" not in logged


def test_a_rescheduled_look_says_so_too_and_goes_on_counting_where_airflow_keeps_the_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        context: Any = {"task_state_store": Store(), "ti": Pushed()}
        for _ in range(10):
            task = sensor(mode="reschedule", timeout=60)
            task.poke(context)
            task._get_next_poke_interval(time.monotonic(), lambda: 20.0, 1)
        logged = said(caplog, capfd)
    assert logged.count("waiting until") == 1
    assert logged.count("still waiting after 10 looks until") == 1


@pytest.mark.parametrize("mode", MODES)
def test_it_says_until_when_before_it_hands_the_wait_over(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    mode: dict[str, Any],
) -> None:
    caplog.set_level(logging.INFO)
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        with pytest.raises((TaskDeferred, AirflowSensorTimeout)):
            sensor(timeout=3, **mode).execute({})
    assert "UTC for a lead with this external_id: none is there" in said(caplog, capfd)


OTHER = "lead 1 is there, with a status that is not waited for"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("soft", [False, True])
def test_a_time_out_says_whether_the_lead_is_there_with_another_status(
    monkeypatch: pytest.MonkeyPatch, mode: dict[str, Any], soft: bool
) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted", status="OPEN")], latency=0.1) as api:
        connect(monkeypatch, api)
        task = sensor(timeout=0.05, statuses=["CLOSED"], soft_fail=soft, **mode)
        with pytest.raises(AirflowSkipException if soft else AirflowSensorTimeout) as caught:
            task.execute({})
    assert str(caught.value) == f"Sensor has timed out: no such lead within 0.05 seconds: {OTHER}."
    assert caught.value.__suppress_context__


def deferral(task: SelaLeadSensor) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        task.execute({})
    return caught.value


def test_it_looks_once_and_then_defers_for_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        deferred = deferral(
            sensor(deferrable=True, timeout=100, statuses=["CLOSED"], exponential_backoff=True)
        )
        assert len(api.requests) == 1
    kwargs = deferred.trigger.serialize()[1]
    assert timedelta(seconds=155) < deferred.timeout <= timedelta(seconds=160)
    assert 95 < kwargs["deadline"] - time.time() <= 100
    assert kwargs["external_id"] == "wanted"
    assert kwargs["statuses"] == ["CLOSED"]
    assert kwargs["exponential_backoff"] is True


def test_a_time_that_is_over_after_the_look_is_not_deferred_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3, latency=0.1) as api:
        connect(monkeypatch, api)
        with pytest.raises(AirflowSensorTimeout, match=r"no such lead within 0\.05 seconds"):
            sensor(deferrable=True, timeout=0.05).execute({})
        assert len(api.requests) == 1


def test_what_the_server_asked_for_is_handed_to_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        api.answer_next(429, headers={"Retry-After": "50"})
        kwargs = deferral(sensor(deferrable=True, timeout=100)).trigger.serialize()[1]
    assert 45 < kwargs["retry_at"] - time.time() <= 50


def test_the_lead_is_read_on_resume_also_if_its_status_has_moved_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=[lead(1, external_id="wanted", status="CLOSED")]) as api:
        connect(monkeypatch, api)
        event = {"status": "found", "ids": [1], "deadline": None}
        given = sensor(deferrable=True, statuses=["LOST"]).resume_execution("resume", {"event": event}, {})
    assert given["id"] == 1


def test_a_lead_that_is_gone_on_resume_is_waited_for_until_the_same_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with SelaApi(leads=3) as api:
        connect(monkeypatch, api)
        event = {"status": "found", "ids": [1], "deadline": time.time() + 30}
        with pytest.raises(TaskDeferred) as caught:
            sensor(deferrable=True).resume_execution("resume", {"event": event}, {})
    assert caught.value.trigger.serialize()[1]["deadline"] == event["deadline"]


TIMEOUTS: list[tuple[str, dict[str, Any]]] = [
    ("resume", {"event": {"status": "timeout", "ids": None}}),
    ("__fail__", {"error": "Trigger timeout"}),
]


def test_a_time_out_says_what_the_trigger_saw() -> None:
    event = {"status": "timeout", "ids": [1]}
    with pytest.raises(AirflowSensorTimeout, match=OTHER):
        sensor(deferrable=True).resume_execution("resume", {"event": event}, {})


@pytest.mark.parametrize(("method", "kwargs"), TIMEOUTS)
def test_a_time_out_ends_as_airflows_own_sensors_do(method: str, kwargs: dict[str, Any]) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(deferrable=True).resume_execution(method, kwargs, {})
    with pytest.raises(AirflowSkipException):
        sensor(deferrable=True, soft_fail=True).resume_execution(method, kwargs, {})


@pytest.mark.parametrize("event", [None, {}, {"status": "success"}, "found"])
def test_an_event_that_is_not_known_is_no_success(event: Any) -> None:
    with pytest.raises(SelaResponseError):
        sensor(deferrable=True, soft_fail=True).resume_execution("resume", {"event": event}, {})


def test_it_starts_in_the_triggerer_only_where_the_values_reach_it() -> None:
    from airflow.triggers.base import BaseTrigger

    rendered = hasattr(BaseTrigger, "render_template_fields")
    direct = sensor(deferrable=True, start_from_trigger=True)
    assert direct.start_from_trigger
    assert direct.start_trigger_args.trigger_kwargs["external_id"] == "wanted"
    assert direct.start_trigger_args.timeout == timedelta(seconds=5)
    templated = sensor(deferrable=True, start_from_trigger=True, external_id="{{ params.id }}")
    assert templated.start_from_trigger is rendered
    assert not sensor(start_from_trigger=True).start_from_trigger


def test_what_is_no_external_id_is_not_made_one_on_the_way_to_the_triggerer() -> None:
    """As text, None would be an id to wait for."""
    nothing: Any = None
    with pytest.raises(SelaRequestError, match="external_id is empty"):
        sensor(deferrable=True, start_from_trigger=True, external_id=nothing)


def test_ids_and_connection_are_templated() -> None:
    assert {"external_id", "statuses", "sela_conn_id"} == set(SelaLeadSensor.template_fields)
