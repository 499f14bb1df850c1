"""Which engine serves an Airflow connection."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_sela.connections import airflow_connection
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.refused import refuse

#: By the class of the hook, because connection types are many: module and class of the engine.
_ENGINES = {
    "airflow.providers.duckdb.hooks.duckdb.DuckDBHook": ("duckdb", "DuckDBEngine"),
    "airflow.providers.jdbc.hooks.jdbc.JdbcHook": ("jdbc", "JdbcEngine"),
    "airflow.providers.microsoft.mssql.hooks.mssql.MsSqlHook": ("mssql", "SQLServerEngine"),
    "airflow.providers.mysql.hooks.mysql.MySqlHook": ("mysql", "MySQLEngine"),
    "airflow.providers.postgres.hooks.postgres.PostgresHook": ("postgres", "PostgresEngine"),
    "airflow.providers.snowflake.hooks.snowflake.SnowflakeHook": ("snowflake", "SnowflakeEngine"),
    "airflow.providers.sqlite.hooks.sqlite.SqliteHook": ("sqlite", "SQLiteEngine"),
}
_ANY = ("generic", "GenericEngine")
#: What to install for a connection type.
_PACKAGES = {
    "duckdb": "airflow-provider-sela[duckdb]",
    "mysql": "airflow-provider-sela[mysql]",
    "postgres": "airflow-provider-sela[postgres]",
    "snowflake": "airflow-provider-sela[snowflake]",
    "sqlite": "apache-airflow-providers-sqlite",
}


def engine_for(conn_id: str, table: str) -> Engine:
    """Make the engine of an Airflow connection, not connected yet.

    :param conn_id: connection of the database that the user has.
    :param table: target table, see :func:`~.identifiers.table_name`.
    :raises SelaSetupError: there is no such connection, it is no SQL database or one that cannot keep the
        promises, or its provider or driver is not installed.
    :raises SelaRequestError: ``table`` is not a table name.
    """
    connection = airflow_connection(conn_id, "conn_id")
    refuse(connection)
    hook = _hook(connection, conn_id)
    refuse(connection, hook)
    classes = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(hook).__mro__)
    module, name = next((_ENGINES[kind] for kind in classes if kind in _ENGINES), _ANY)
    engine: Engine = getattr(import_module(f"{__package__}.{module}"), name)(hook, table)
    return engine


def _hook(connection: Any, conn_id: str) -> Any:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    conn_type = connection.conn_type or ""
    try:
        hook = connection.get_hook()
    except (ImportError, AirflowException, AttributeError):
        # Airflow knows types, such as generic, that have no hook, and stumbles over them.
        hook = None
    if hook is None:
        package = _PACKAGES.get(conn_type)
        remedy = (
            f"pip install '{package}'"
            if package
            else "give the connection the type of its database, such as postgres, and install its provider"
        )
        raise SelaSetupError(
            f"connection {conn_id!r} is of type {conn_type!r}, whose provider or driver is not installed"
            f" here: {remedy}"
        )
    if not isinstance(hook, DbApiHook):
        raise SelaSetupError(f"connection {conn_id!r} is of type {conn_type!r}, which is no SQL database")
    return hook
