"""SelaRetryPolicy: what the server answered decides when Airflow tries again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaIncompleteError,
    SelaPermissionError,
    SelaRateLimitError,
    SelaRequestError,
    SelaResponseError,
    SelaSetupError,
    SelaTargetError,
    SelaUnavailableError,
)
from airflow_provider_sela.retry import SelaRetryPolicy

policies = pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="Airflow 3.3 brought them")


@pytest.mark.parametrize("kind", [SelaRateLimitError, SelaUnavailableError])
@pytest.mark.parametrize("seconds", [0, 0.5, 7, 86_400])
def test_what_the_server_asked_for_is_waited_exactly(
    kind: type[SelaUnavailableError], seconds: float
) -> None:
    decision = SelaRetryPolicy().evaluate(kind("busy", retry_after=seconds), 3, 5)
    assert decision.action is policies.RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [86_401, 1.8e9, 1e20])
def test_a_day_is_the_longest_that_the_server_can_ask_for(seconds: float) -> None:
    decision = SelaRetryPolicy().evaluate(SelaRateLimitError("busy", retry_after=seconds), 1, 5)
    assert decision.action is policies.RetryAction.RETRY
    assert decision.retry_delay == timedelta(days=1)


@pytest.mark.parametrize("name", ["first_delay", "max_delay"])
@pytest.mark.parametrize("value", [30, "soon", None, timedelta(-1)])
def test_what_is_no_length_of_time_is_refused_when_the_dag_is_parsed_and_not_after_a_failure(
    name: str, value: Any
) -> None:
    with pytest.raises(SelaRequestError, match=name):
        SelaRetryPolicy(**{name: value})


@pytest.mark.parametrize(
    "error",
    [
        SelaRateLimitError("429"),
        SelaUnavailableError("503"),
        SelaResponseError("cut"),
        SelaIncompleteError("unverified"),
    ],
)
def test_failures_of_the_moment_back_off_up_to_a_bound(error: SelaError) -> None:
    policy = SelaRetryPolicy(timedelta(seconds=10), timedelta(seconds=60))
    for number, bound in [(1, 10), (2, 20), (3, 40), (4, 60), (400, 60)]:
        decision = policy.evaluate(error, number, 500)
        assert decision.action is policies.RetryAction.RETRY
        assert bound / 2 <= decision.retry_delay.total_seconds() <= bound


def test_tasks_that_failed_together_do_not_come_back_together() -> None:
    delays = {SelaRetryPolicy().evaluate(SelaUnavailableError("503"), 1, 5).retry_delay for _ in range(20)}
    assert len(delays) > 10


@pytest.mark.parametrize(
    "kind",
    [SelaAuthenticationError, SelaPermissionError, SelaRequestError, SelaSetupError, SelaTargetError],
)
def test_what_a_retry_cannot_mend_fails_at_once(kind: type[SelaError]) -> None:
    decision = SelaRetryPolicy().evaluate(kind("no"), 1, 5)
    assert decision.action is policies.RetryAction.FAIL


def test_errors_of_others_are_left_to_the_task() -> None:
    assert SelaRetryPolicy().evaluate(KeyError("x"), 1, 5).action is policies.RetryAction.DEFAULT


def test_it_survives_serialisation() -> None:
    policy = SelaRetryPolicy(timedelta(seconds=1), timedelta(seconds=2))
    again = SelaRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize())))
    assert vars(again) == vars(policy)


def test_a_dag_whose_operator_has_it_is_serialised_and_the_worker_still_asks_it() -> None:
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    from airflow_provider_sela.sensors.leads import SelaLeadSensor

    with DAG("retries", schedule=None) as dag:
        task = SelaLeadSensor(task_id="wait", external_id="x", retries=2, retry_policy=SelaRetryPolicy())
    assert DagSerialization.to_dict(dag)
    assert isinstance(task.retry_policy, SelaRetryPolicy)
