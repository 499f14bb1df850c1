"""OpenLineage: what the events of a real run say, and what they must not say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.leads import LEAD_FIELDS
from airflow_provider_sela.lineage import file_target, table_target
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.warehouse import engine_for
from airflow_provider_sela.warehouse.layout import Mode
from tests.reporting.conftest import PLANTED, Reports
from tests.warehouse.databases import DuckDB

pytestmark = pytest.mark.airflow
openlineage = pytest.importorskip("openlineage.client")


def test_a_landing_names_the_server_that_it_read_and_the_table_that_it_wrote(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    assert read["namespace"] == reports.api.url.replace("http://", "sela://")
    assert read["name"] == "leads"
    assert written["namespace"] == f"duckdb://{reports.folder}/warehouse.duckdb"
    assert written["name"] == "leads"


def test_schemas_say_what_is_read_and_what_the_table_has(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    fields = [(field["name"], field["type"]) for field in read["facets"]["schema"]["fields"]]
    assert fields == [(field.name, field.kind.value) for field in LEAD_FIELDS]
    columns = {field["name"]: field["type"] for field in written["facets"]["schema"]["fields"]}
    assert list(columns) == [field.name for field in Mode.MERGE.layout.fields]
    assert (columns["id"], columns["metadata"]) == ("BIGINT", "JSON")


def test_counts_and_verdict_are_facets(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 250
    (assertion,) = read["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"]) == ("complete", True)
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 250
    facet = event["run"]["facets"]["sela_read"]
    told = {name: value for name, value in facet.items() if not name.startswith("_")}
    assert told == {
        "verdict": "PROVEN(id)", "read": 250, "rejected": 0, "nulled": 5, "requests": 6, "retries": 1,
        "repaired": 0, "passes": 1,
    }  # fmt: skip


def test_a_file_is_named_by_its_place(reports: Reports) -> None:
    (written,) = reports.event("to_file")["outputs"]
    assert (written["namespace"], written["name"]) == ("file", f"{reports.folder}/leads.parquet")
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 250
    assert [field["name"] for field in written["facets"]["schema"]["fields"]][-1] == "extra"
    target = file_target("s3://bucket/a/leads.jsonl", [])
    assert (target.namespace, target.name) == ("s3://bucket", "a/leads.jsonl")


def test_leads_as_xcom_have_an_input_and_no_output(reports: Reports) -> None:
    event = reports.event("to_xcom")
    assert [dataset["name"] for dataset in event["inputs"]] == ["leads"]
    assert event["outputs"] == []


def test_a_function_that_reads_by_the_hook_names_its_input_too(reports: Reports) -> None:
    inputs = reports.event("own")["inputs"]
    assert {(read["namespace"], read["name"]) for read in inputs} == {
        (reports.api.url.replace("http://", "sela://"), "leads")
    }


def test_a_failed_landing_names_both_ends_without_rows_written(reports: Reports) -> None:
    assert reports.states["refused"] == "failed"
    event = reports.event("refused", "FAIL")
    assert event["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 250
    assert (event["outputs"][0]["name"], event["outputs"][0]["outputFacets"]) == ("refused", {})
    assert "nothing was written" in event["run"]["facets"]["errorMessage"]["message"]


def test_at_its_start_a_task_is_known_by_its_inlets_and_outlets(reports: Reports) -> None:
    (read,) = reports.event("to_sql", "START")["inputs"]
    assert (read["namespace"], read["name"]) == ("sela://api.trysela.com", "leads")


def test_no_event_holds_a_value_of_a_lead_or_the_token(reports: Reports) -> None:
    """The filter of ``to_xcom`` is the author's own, and an argument of the task."""
    for event in reports.lineage:
        assert reports.api.token not in json.dumps(event)
        if event["job"]["name"] not in ("reporting.to_xcom", "reporting"):
            assert PLANTED not in json.dumps(event).replace(f"token-{PLANTED}", ""), event["job"]["name"]


@pytest.mark.parametrize(
    ("kind", "host", "table", "namespace", "name"),
    [
        ("postgres", "db.example.com", "leads", "postgres://db.example.com:5432", "crm.public.leads"),
        ("postgres", "db.example.com", "mart.leads", "postgres://db.example.com:5432", "crm.mart.leads"),
        ("postgres", "db", "other.mart.leads", "postgres://db:5432", "other.mart.leads"),
        ("mysql", "db.example.com", "leads", "mysql://db.example.com:3306", "crm.leads"),
        ("mysql", "db.example.com", "mart.leads", "mysql://db.example.com:3306", "mart.leads"),
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


def _target(
    monkeypatch: pytest.MonkeyPatch, kind: str, host: str, table: str, transport: str = '{"type": "console"}'
) -> Any:
    pytest.importorskip(f"airflow.providers.{kind}.hooks.{kind}", exc_type=ImportError)
    connection = {"conn_type": kind, "host": host, "login": "user", "password": PLANTED}
    if kind in ("postgres", "mysql"):
        connection["schema"] = "crm"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", transport)
    return table_target(engine_for("warehouse", table), Mode.MERGE.layout, "warehouse")


def test_without_openlineage_a_load_works_and_tells_nothing(
    hook: SelaHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse.connection))
    for name in ("openlineage", "openlineage.client", "airflow.providers.openlineage.conf"):
        monkeypatch.setitem(sys.modules, name, None)
    operator = SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads")
    assert operator.execute({})["new"] == 250
    assert next(hook.iter_leads())["id"] == 28_000
