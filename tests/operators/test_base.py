from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaIncompleteError,
    SelaLimitError,
    SelaRateLimitError,
    SelaRequestError,
    SelaResponseError,
    SelaSetupError,
    SelaTargetError,
    SelaUnavailableError,
)
from airflow_provider_sela.operators.base import SelaReadOperator
from airflow_provider_sela.retry import failing_fast
from airflow_provider_sela.testing import SelaApi
from tests.support.tasks import rendered

ARGUMENTS = ["email", "external_id", "phone_number", "user", "page_size", "on_unverified", "sela_conn_id"]


class Reading(SelaReadOperator):
    """The smallest operator: returns the ids that it reads."""

    def load(self, context: Any) -> list[int]:
        with self.snapshot() as snapshot:
            return sorted(lead["id"] for lead in snapshot)


class Raising(SelaReadOperator):
    """Fails as it is told."""

    error: BaseException

    def load(self, context: Any) -> None:
        raise self.error


def failure(error: BaseException) -> BaseException:
    operator = Raising(task_id="raising")
    operator.error = error
    with pytest.raises(type(error) if not isinstance(error, SelaError) else Exception) as caught:
        operator.execute({})
    return caught.value


@pytest.mark.parametrize(
    "kind", [SelaSetupError, SelaAuthenticationError, SelaRequestError, SelaLimitError, SelaTargetError]
)
def test_what_no_retry_can_mend_fails_the_task_at_once(kind: type[SelaError]) -> None:
    found = failure(kind("the message"))
    assert type(found) is AirflowFailException
    assert str(found) == f"{kind.__name__}: the message"
    assert found.__suppress_context__


@pytest.mark.parametrize(
    "kind", [SelaUnavailableError, SelaRateLimitError, SelaResponseError, SelaIncompleteError]
)
def test_what_a_retry_may_mend_is_left_to_airflows_retries(kind: type[SelaError]) -> None:
    error = kind("the message")
    assert failure(error) is error


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_other_failures_are_left_alone(error: BaseException) -> None:
    operator = Raising(task_id="raising")
    operator.error = error
    with pytest.raises(type(error)) as caught:
        operator.execute({})
    assert caught.value is error


def test_failing_fast_can_wrap_any_code() -> None:
    with pytest.raises(AirflowFailException, match="SelaSetupError: no token"), failing_fast():
        raise SelaSetupError("no token")


def test_everything_that_may_vary_per_run_is_templated() -> None:
    assert set(ARGUMENTS) <= set(SelaReadOperator.template_fields)


def test_an_operator_does_nothing_when_it_is_made() -> None:
    """No connection, no request: the scheduler makes operators too."""
    operator = Reading(
        task_id="reading", sela_conn_id="there_is_no_such_connection", hash_fields=["email"], salt_conn_id="x"
    )
    assert "hook" not in vars(operator)


def test_arguments_rendered_by_templates_reach_the_hook(
    api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELA_CRM", json.dumps(api.connection))
    rendered: Any = {"page_size": "50", "user": "2", "sela_conn_id": "sela_crm"}
    operator = Reading(task_id="reading", **rendered)
    assert operator.execute({}) == sorted(key for key, lead in api.leads.items() if api.user_of(lead) == 2)
    assert operator.filters == {"email": None, "external_id": None, "phone_number": None, "user": 2}
    assert all(request.query["user"] == "2" for request in api.requests)


@pytest.mark.parametrize("page_size", ["many", "", "1.5"])
def test_a_page_size_that_renders_to_no_number_fails_the_task_at_once(
    page_size: Any, hook: Any, api: SelaApi
) -> None:
    with pytest.raises(AirflowFailException, match="SelaRequestError: page_size is not a whole number"):
        rendered(Reading, native=False, page_size=page_size).execute({})
    assert api.requests == []


def test_a_filter_that_renders_to_nothing_fails_the_task_at_once(hook: Any, api: SelaApi) -> None:
    with pytest.raises(AirflowFailException, match="SelaRequestError: email is empty"):
        rendered(Reading, email="").execute({})
    assert api.requests == []


def test_an_unknown_choice_of_on_unverified_fails_the_task_at_once(hook: Any) -> None:
    with pytest.raises(AirflowFailException, match="on_unverified is 'maybe': allowed are fail and warn"):
        rendered(Reading, on_unverified="maybe").execute({})


def test_a_wrong_token_fails_the_task_at_once(api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection | {"password": "wrong"}))
    with pytest.raises(
        AirflowFailException, match="SelaAuthenticationError: connection 'sela_default': HTTP 401"
    ):
        Reading(task_id="reading").execute({})


def test_a_failure_of_the_task_is_not_hidden_by_a_connection_that_is_missing() -> None:
    operator = Raising(task_id="raising", sela_conn_id="there_is_no_such_connection")
    operator.error = SelaRequestError("this is why")
    with pytest.raises(AirflowFailException, match="this is why"):
        operator.execute({})


def test_lineage_tells_what_a_failed_read_asked_and_nothing_of_a_task_that_asked_nothing(
    api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openlineage.client")
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection | {"password": "wrong"}))
    refused, wrong = Reading(task_id="refused"), rendered(Reading, page_size="many")
    for operator in (refused, wrong):
        with pytest.raises(AirflowFailException):
            operator.execute({})
    told = refused.get_openlineage_facets_on_complete(None)
    assert told is not None
    (read,) = told.inputs
    assert read.namespace == api.url.replace("http://", "sela://")
    assert (read.inputFacets, told.outputs, told.run_facets) == ({}, [], {})
    assert wrong.get_openlineage_facets_on_complete(None) is None


def test_connections_are_closed_when_the_task_ends(hook: Any, api: SelaApi) -> None:
    operator = Reading(task_id="reading")
    operator.execute({})
    assert operator.hook.transport._sessions == []


def test_the_base_itself_loads_nothing() -> None:
    with pytest.raises(NotImplementedError):
        SelaReadOperator(task_id="base").execute({})
