"""Airflow's connections by their id, and what it means where Airflow gives none."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_sela.api.parameters import text
from airflow_provider_sela.exceptions import SelaError, SelaSetupError, SelaUnavailableError


def airflow_connection(conn_id: str, parameter: str) -> Any:
    """The connection of Airflow that a parameter of a task names.

    :raises SelaRequestError: it is no text, or an empty one.
    :raises SelaSetupError: it is not defined.
    :raises SelaUnavailableError: it is not defined, or Airflow cannot look it up for now.
    """
    conn_id = text(parameter, conn_id)
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        failure = error_for_not_found(conn_id, parameter)
    except Exception as error:  # noqa: BLE001 (Airflow's API raises what it likes)
        failure = error_for_undefined(conn_id, parameter, type(error).__name__)
    raise failure


def error_for_not_found(conn_id: str, parameter: str) -> SelaError:
    """The error where Airflow has just raised ``AirflowNotFoundException``."""
    return error_for_undefined(conn_id, parameter, _doubt(conn_id))


def error_for_undefined(conn_id: str, parameter: str, doubt: str) -> SelaError:
    """The error for a connection that Airflow does not give.

    :param doubt: who or what may be the cause instead; empty if there is no such connection for certain.
    """
    named = f"{parameter}: the connection {conn_id!r} is not defined in Airflow"
    if not doubt:
        return SelaSetupError(f"{named}; create it, or name another")
    return SelaUnavailableError(
        f"{named}, or cannot be looked up for now ({doubt}); create it, name another, or run it again later"
    )


def _doubt(conn_id: str) -> str:
    """The secrets backend that may know a connection after all; empty if none does.

    From 2.11 to 3.3, Airflow calls a connection not defined, too, while a backend or its database is out of
    order. So each backend of this process is asked again. Tasks of Airflow 3 ask Airflow's API, which gives
    one answer for both cases: there it is the API that may know.
    """
    asked = "Airflow"
    try:
        for backend in _backends():
            asked = type(backend).__name__
            if asked == "ExecutionAPISecretsBackend" or backend.get_connection(conn_id=conn_id) is not None:
                return asked
    except Exception as error:  # noqa: BLE001 (secrets backends raise what they like)
        return f"{asked}: {type(error).__name__}"
    return ""


def _backends() -> list[Any]:
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    except ImportError:  # pragma: no cover (Airflow below 3)
        from airflow.configuration import ensure_secrets_loaded

        return list(ensure_secrets_loaded())
    return list(ensure_secrets_backend_loaded())
