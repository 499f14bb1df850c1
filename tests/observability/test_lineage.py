"""OpenLineage: what a table and a file are called, and that nothing depends on it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.lineage import file_target, table_target
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.observability.conftest import PLANTED
from tests.support.databases import DuckDB

pytest.importorskip("openlineage.client")


@pytest.mark.parametrize(
    ("url", "namespace", "name"),
    [
        ("s3://bucket/a/leads.jsonl", "s3://bucket", "a/leads.jsonl"),
        ("file:///data/leads.csv", "file", "/data/leads.csv"),
    ],
)
def test_a_file_has_the_name_that_openlineage_gives_its_storage(url: str, namespace: str, name: str) -> None:
    target = file_target(url, [])
    assert (target.namespace, target.name) == (namespace, name)


@pytest.mark.parametrize(
    ("kind", "host", "table", "namespace", "name"),
    [
        ("postgres", "db.example.com", "leads", "postgres://db.example.com:5432", "crm.public.leads"),
        ("postgres", "db.example.com", "mart.leads", "postgres://db.example.com:5432", "crm.mart.leads"),
        ("postgres", "db", "other.mart.leads", "postgres://db:5432", "other.mart.leads"),
        ("mysql", "db.example.com", "leads", "mysql://db.example.com:3306", "crm.leads"),
        ("mysql", "db.example.com", "mart.leads", "mysql://db.example.com:3306", "mart.leads"),
        ("snowflake", "", "leads", "snowflake://org-account", "SALES.CRM.LEADS"),
        ("snowflake", "", 'mart."Web leads"', "snowflake://org-account", "SALES.MART.Web leads"),
        ("duckdb", "/data/leads.duckdb", "leads", "duckdb:///data/leads.duckdb", "leads"),
        ("duckdb", f"md:crm?motherduck_token={PLANTED}", "leads", "duckdb://md:crm", "leads"),
        ("sqlite", "/data/leads.db", "main.leads", "sqlite:///data/leads.db", "main.leads"),
        ("odbc", f"user:{PLANTED}@db.example.com", "leads", "odbc://db.example.com", "leads"),
    ],
)
def test_a_table_has_the_name_that_its_hook_and_its_connection_give(
    monkeypatch: pytest.MonkeyPatch, kind: str, host: str, table: str, namespace: str, name: str
) -> None:
    """Nothing listens at these addresses: lineage asks no database."""
    target = _target(monkeypatch, kind, host, table)
    assert (target.namespace, target.name) == (namespace, name)


def test_a_table_has_no_name_where_openlineage_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _target(monkeypatch, "postgres", "db.example.com", "leads", transport="") is None


def test_a_database_that_its_hook_cannot_name_has_no_name_and_its_connection_stays_out_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The hook for PostgreSQL wants to know which cluster of Redshift it is, and nothing else does."""
    caplog.set_level(logging.DEBUG)
    assert _target(monkeypatch, "postgres", "", "leads", extra={"redshift": True}) is None
    assert "the table has no name in OpenLineage" in caplog.text
    assert PLANTED not in caplog.text


def _target(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    host: str,
    table: str,
    transport: str = '{"type": "console"}',
    **fields: Any,
) -> Any:
    pytest.importorskip(f"airflow.providers.{kind}.hooks.{kind}", exc_type=ImportError)
    connection: dict[str, Any] = {"conn_type": kind, "host": host, "login": "user", "password": PLANTED}
    connection |= fields
    if kind in ("postgres", "mysql"):
        connection["schema"] = "crm"
    if kind == "snowflake":
        connection |= {"schema": "CRM", "extra": {"account": "org-account", "database": "SALES"}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", transport)
    return table_target(engine_for("warehouse", table), Mode.MERGE.layout, "warehouse")


def test_a_file_of_json_lines_has_no_schema(hook: SelaHook, tmp_path: Path) -> None:
    schemas = []
    for name in ("leads.jsonl", "leads.csv"):
        operator = SelaLeadsOperator(task_id="land", path=str(tmp_path / name))
        operator.execute({})
        told = operator.get_openlineage_facets_on_complete(None)
        assert told is not None
        (written,) = told.outputs
        assert (written.name, written.outputFacets["outputStatistics"].rowCount) == (
            f"{tmp_path}/{name}",
            250,
        )
        schemas.append(written.facets.keys())
    assert schemas == [set(), {"schema"}]


def test_without_openlineage_a_load_works_and_tells_nothing(
    hook: SelaHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse.connection))
    compat = "airflow.providers.common.compat.lineage.hook"
    for name in ("openlineage", "openlineage.client", "airflow.providers.openlineage.conf", compat):
        monkeypatch.setitem(sys.modules, name, None)
    operator = SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads")
    assert operator.execute({})["new"] == 250
    assert next(hook.iter_leads())["id"] == 28_000
