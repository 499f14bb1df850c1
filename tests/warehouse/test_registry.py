"""Which engine serves a connection, and which databases are refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.warehouse.refused import REFUSED, refuse
from airflow_provider_sela.warehouse.registry import engine_for
from tests.support import servers

TYPES = [(database.name, name) for database in REFUSED for name in sorted(database.types)]
#: The same databases, reached through another one's connection type.
DISGUISED: dict[str, dict[str, Any]] = {
    "Redshift as PostgreSQL": {
        "conn_type": "postgres", "host": "sales.abc123.eu-west-1.redshift.amazonaws.com",
    },
    "Redshift by JDBC": {
        "conn_type": "jdbc", "host": "jdbc:redshift://x.abc.eu-west-1.redshift.amazonaws.com:5439/dev",
    },
    "Trino by JDBC": {"conn_type": "jdbc", "host": "JDBC:trino://trino:8080/hive"},
    "ClickHouse by JDBC": {"conn_type": "jdbc", "host": "jdbc:ch://localhost"},
    "Fabric as SQL Server": {"conn_type": "mssql", "host": "abc.datawarehouse.fabric.microsoft.com"},
    "Fabric by JDBC": {
        "conn_type": "jdbc",
        "host": "jdbc:sqlserver://abc.datawarehouse.fabric.microsoft.com:1433;database=sales",
    },
    "Databricks by ODBC": {"conn_type": "odbc", "host": "adb-1.2.azuredatabricks.net"},
    "Exasol by ODBC": {"conn_type": "odbc", "host": "exa", "extra": {"sqlalchemy_scheme": "exa+pyodbc"}},
}  # fmt: skip


def connect_to(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any]) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))


@pytest.mark.parametrize(("name", "conn_type"), TYPES)
def test_a_database_that_cannot_keep_the_promises_is_refused_with_the_way_out(
    name: str, conn_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to(monkeypatch, {"conn_type": conn_type, "host": "warehouse.example.com"})
    with pytest.raises(SelaSetupError) as refused:
        engine_for("warehouse", "leads")
    assert f"connection 'warehouse' is to {name}, which cannot keep" in str(refused.value)
    assert "Write Parquet files with SelaLeadsOperator and load them by " in str(refused.value)
    assert "or use sela_leads()" in str(refused.value)


@pytest.mark.parametrize("connection", DISGUISED.values(), ids=DISGUISED)
def test_a_refused_database_is_known_behind_another_connection_type(
    connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to(monkeypatch, connection)
    with pytest.raises(SelaSetupError, match="which cannot keep a load's promises"):
        engine_for("warehouse", "leads")


def test_a_refusal_comes_before_the_first_request_and_no_retry_follows(
    api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    connect_to(monkeypatch, {"conn_type": "gcpbigquery"})
    with pytest.raises(AirflowFailException, match="Google BigQuery"):
        SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads").execute({})
    assert api.requests == []


@pytest.mark.server
def test_a_refused_database_is_known_by_the_class_of_a_hook_of_somebodys_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A company's own connection type has a hook that inherits Airflow's."""
    servers.driver("airflow.providers.trino", "airflow.providers.clickhousedb")
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
    from airflow.providers.clickhousedb.hooks.clickhouse import ClickHouseHook
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.trino.hooks.trino import TrinoHook

    connect_to(monkeypatch, {"conn_type": "sales_warehouse"})
    connection = BaseHook.get_connection("warehouse")
    for kind in (RedshiftSQLHook, ClickHouseHook, TrinoHook):
        hook = type("SalesHook", (kind,), {})()
        with pytest.raises(SelaSetupError, match="which cannot keep a load's promises"):
            refuse(connection, hook)
    refuse(connection, object())


def test_an_engine_is_chosen_by_the_class_of_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's DuckDB connection is another type with the same hook underneath."""
    connect_to(monkeypatch, {"conn_type": "duckdb_aws", "host": "/data/leads.duckdb"})
    assert type(engine_for("warehouse", "leads")).__name__ == "DuckDBEngine"


@pytest.mark.server
def test_sql_server_is_asked_for_times_with_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.driver("pymssql", "airflow.providers.microsoft.mssql")
    connection: dict[str, Any] = {"conn_type": "mssql", "host": "127.0.0.1", "port": 1, "login": "sa"}
    connect_to(monkeypatch, connection)
    with pytest.raises(SelaSetupError, match=r"'warehouse': pymssql cuts microseconds .*use_datetime2"):
        engine_for("warehouse", "leads").__enter__()
    connect_to(monkeypatch, {**connection, "extra": {"use_datetime2": True, "login_timeout": 1}})
    with pytest.raises(Exception, match="cannot open the database: pymssql"):
        engine_for("warehouse", "leads").__enter__()
