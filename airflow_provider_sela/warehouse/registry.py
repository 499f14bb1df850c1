"""Which engine serves an Airflow connection."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, BaseHook

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.warehouse.engine import Engine

# By connection type: module, class, and what to install for it.
_GENERIC = ("generic", "GenericEngine", "the Airflow provider of that type")
_ENGINES = {
    "duckdb": ("duckdb", "DuckDBEngine", "airflow-provider-sela[duckdb]"),
    "mysql": ("mysql", "MySQLEngine", "airflow-provider-sela[mysql]"),
    "postgres": ("postgres", "PostgresEngine", "airflow-provider-sela[postgres]"),
    "snowflake": ("snowflake", "SnowflakeEngine", "airflow-provider-sela[snowflake]"),
    "sqlite": ("sqlite", "SQLiteEngine", "apache-airflow-providers-sqlite"),
}


def engine_for(conn_id: str, table: str) -> Engine:
    """Make the engine of an Airflow connection, not connected yet.

    :param conn_id: connection of the database that the user has.
    :param table: target table, see :func:`~.identifiers.table_name`.
    :raises SelaSetupError: no SQL database, or its provider or driver is not installed.
    :raises SelaRequestError: ``table`` is not a table name.
    """
    connection = BaseHook.get_connection(conn_id)
    conn_type = connection.conn_type or ""
    module, name, package = _ENGINES.get(conn_type, _GENERIC)
    hook = _hook(connection, conn_id, conn_type, package)
    engine: Engine = getattr(import_module(f"{__package__}.{module}"), name)(hook, table)
    return engine


def _hook(connection: Any, conn_id: str, conn_type: str, package: str) -> Any:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    try:
        hook = connection.get_hook()
    except (ImportError, AirflowException):
        hook = None
    if hook is None:
        raise SelaSetupError(
            f"connection {conn_id!r} is of type {conn_type!r}, whose provider or driver is not installed"
            f" here: pip install '{package}'"
        )
    if not isinstance(hook, DbApiHook):
        raise SelaSetupError(f"connection {conn_id!r} is of type {conn_type!r}, which is no SQL database")
    return hook
