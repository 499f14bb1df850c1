"""A connection that Airflow does not give: by which parameter, and whether a retry can help."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook
from airflow.secrets import BaseSecretsBackend

from airflow_provider_sela.connections import airflow_connection
from airflow_provider_sela.exceptions import SelaSetupError, SelaUnavailableError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from tests.support.outcomes import outcomes_of

try:
    from airflow.sdk import exceptions as airflow_exceptions
except ImportError:
    from airflow import exceptions as airflow_exceptions

SCRIPT = Path(__file__).parent / "dags" / "lookups.py"
#: In a task of Airflow 3, its API alone knows, and says the same of an outage.
CERTAIN_IN_A_TASK = int(version("apache-airflow").partition(".")[0]) < 3


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """What became of each task of the script."""
    return outcomes_of(SCRIPT)


@pytest.mark.airflow
def test_a_short_outage_of_what_airflow_keeps_connections_in_costs_one_try(
    outcomes: dict[str, dict[str, Any]],
) -> None:
    in_an_outage = {task: outcome for task, outcome in outcomes.items() if task.endswith(".outage")}
    assert in_an_outage.keys() == {"leads.outage", "salt.outage", "table.outage", "sensor.outage"}
    assert [*in_an_outage.values()] == [{"state": "success", "tries": 2}] * 4


@pytest.mark.airflow
def test_a_connection_that_is_not_there_is_asked_for_once_where_that_is_certain(
    outcomes: dict[str, dict[str, Any]],
) -> None:
    missing = {task: outcome for task, outcome in outcomes.items() if task.endswith(".missing")}
    assert len(missing) == 6
    assert [*missing.values()] == [{"state": "failed", "tries": 1 if CERTAIN_IN_A_TASK else 2}] * 6


@pytest.fixture
def sela(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to Sela, of which nothing is asked."""
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(SelaApi(leads=0).connection | {"host": ""}))


@pytest.mark.parametrize(
    ("task", "parameter"),
    [
        (SelaLeadsOperator(task_id="leads", sela_conn_id="nowhere"), "sela_conn_id"),
        (
            SelaLeadsOperator(task_id="salted", hash_fields=["email"], salt_conn_id="nowhere"),
            "salt_conn_id",
        ),
        (SelaLeadsToSqlOperator(task_id="table", conn_id="nowhere", table="leads"), "conn_id"),
        (SelaLeadSensor(task_id="sensor", external_id="w1", sela_conn_id="nowhere"), "sela_conn_id"),
    ],
)
@pytest.mark.usefixtures("airflow_db", "sela")
def test_a_missing_connection_fails_at_once_and_is_named_with_its_parameter(
    task: Any, parameter: str
) -> None:
    """Outside of a task this process asks all who may have one."""
    expected = f"SelaSetupError: {parameter}: the connection 'nowhere' is not defined in Airflow; create it,"
    with pytest.raises(AirflowFailException) as failed:
        task.execute({})
    assert str(failed.value).startswith(expected)
    assert failed.value.__suppress_context__


class Vault(BaseSecretsBackend):
    """A secrets backend of one's own, which answers as it is told."""

    answers: ClassVar[list[Any]] = []

    def get_connection(self, conn_id: str, **_more: Any) -> Any:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts the vault in front of Airflow's own backends and says how it answers."""
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Vault")
    with suppress(ImportError, AttributeError):
        monkeypatch.setattr("airflow.sdk.configuration._secrets_backend_cache", {})
    yield lambda *answers: monkeypatch.setattr(Vault, "answers", list(answers))
    assert Vault.answers == []


DOWN = ConnectionError("https://vault.example.com/?token=hvs.planted")


@pytest.mark.parametrize(
    ("answers", "doubt"),
    [
        ((DOWN, DOWN), "(Vault: ConnectionError)"),
        ((DOWN, object()), "(Vault)"),
    ],
)
@pytest.mark.usefixtures("airflow_db")
def test_a_secrets_backend_that_is_out_of_order_is_no_connection_that_is_missing(
    vault: Callable[..., None], answers: tuple[Any, ...], doubt: str
) -> None:
    vault(*answers)
    with pytest.raises(SelaUnavailableError, match="'nowhere' is not defined in Airflow, or cannot") as told:
        airflow_connection("nowhere", "conn_id")
    assert doubt in str(told.value)
    assert "hvs" not in str(told.value)
    assert told.value.__context__ is None


@pytest.mark.usefixtures("airflow_db")
def test_a_backend_that_denies_access_is_told_by_its_kind(vault: Callable[..., None]) -> None:
    """Airflow 3.2 and newer ask nobody else then; older ones do, and call the connection not defined."""
    denied = getattr(airflow_exceptions, "AirflowSecretsBackendAccessDenied", PermissionError)
    vault(*[denied("hvs.planted")] * (1 if denied is not PermissionError else 2))
    with pytest.raises(SelaUnavailableError, match=denied.__name__) as told:
        airflow_connection("nowhere", "conn_id")
    assert "hvs" not in str(told.value)


@pytest.mark.usefixtures("airflow_db")
def test_a_connection_that_is_written_wrongly_in_the_environment_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"password": "secret"')
    with pytest.raises(SelaUnavailableError, match=r"\(EnvironmentVariablesBackend: \w+\)") as told:
        airflow_connection("broken", "conn_id")
    assert "secret" not in str(told.value)


@pytest.fixture
def other_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage whose provider insists on its connection, as that of Google does and Amazon's does not."""
    try:
        from airflow.sdk.io import fs
    except ImportError:
        fs = importlib.import_module("airflow.io")

    def get_fs(conn_id: str | None) -> Any:
        return BaseHook.get_connection(conn_id or "its_default")

    monkeypatch.setitem(fs._register_filesystems(), "gs", get_fs)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"path": "gs://sela/leads.csv", "conn_id": "nowhere"}, "conn_id: the connection 'nowhere'"),
        ({"path": "gs://nowhere@sela/leads.csv"}, "path: the connection 'nowhere'"),
        ({"path": "gs://sela/leads.csv"}, "path: the connection 'the default of its provider'"),
    ],
)
@pytest.mark.usefixtures("airflow_db", "sela", "other_storage")
def test_a_storage_whose_connection_is_missing_is_told_alike(
    vault: Callable[..., None], arguments: dict[str, Any], told: str
) -> None:
    vault()
    with pytest.raises(AirflowFailException, match=f"SelaSetupError: {told} is not defined in Airflow; "):
        SelaLeadsOperator(task_id="file", **arguments).execute({})
    vault(*[DOWN] * 10)
    with pytest.raises(SelaUnavailableError, match=f"^{told} is not defined in Airflow, or cannot be looked"):
        SelaLeadsOperator(task_id="file", **arguments).execute({})
    vault()


@pytest.mark.usefixtures("airflow_db")
async def test_both_halves_of_the_hook_say_it_in_the_same_words() -> None:
    with pytest.raises(SelaSetupError) as told:
        SelaHook("nowhere").count_leads()
    with pytest.raises(SelaUnavailableError) as told_too:
        await SelaHook("nowhere").acount_leads()
    assert str(told_too.value).startswith(str(told.value).partition(";")[0])
