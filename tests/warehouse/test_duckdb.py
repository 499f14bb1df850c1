"""What DuckDB promises beyond the other engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import DuckDB
from tests.support.loads import load_leads


@pytest.mark.parametrize(
    ("extra", "limit"),
    [
        ({}, "228.8 MiB"),
        ({"memory_limit": "64MiB"}, "64.0 MiB"),
        ({"settings": {"memory_limit": "64MiB"}}, "64.0 MiB"),
    ],
)
def test_memory_is_bounded_to_256_mb_unless_the_connection_says_otherwise(
    extra: dict[str, Any], limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**DuckDB(tmp_path).connection, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with engine_for("warehouse", "leads") as engine:
        assert engine.fetch_one("SELECT current_setting('memory_limit')") == (limit,)


def test_a_schema_that_is_called_like_the_file_is_a_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB calls a database like its file, and would read ``sales.leads`` as the table ``leads`` of it."""
    database = DuckDB(tmp_path)
    database.path = tmp_path / "sales.duckdb"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    database.run("CREATE SCHEMA sales")
    for _ in range(3):
        load_leads(sample_leads(3), table="sales.leads")
    assert database.rows("SELECT COUNT(*) FROM sales.sales.leads") == [(3,)]
    assert database.rows("SELECT COUNT(*) FROM sales.sales._sela_loads") == [(3,)]


def test_a_view_of_another_schema_is_not_taken_for_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    database.run("CREATE SCHEMA report")
    database.run("CREATE VIEW report.leads AS SELECT 1::BIGINT AS id")
    for _ in range(2):
        load_leads(sample_leads(3))
    assert database.rows("SELECT COUNT(*) FROM main.leads") == [(3,)]
    with pytest.raises(SelaTargetError, match=r"table report\.leads: is a view: leads need a table"):
        load_leads(sample_leads(3), table="report.leads")


def test_a_table_of_the_database_that_is_called_like_the_file_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = DuckDB(tmp_path)
    database.path = tmp_path / "sales.duckdb"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    for _ in range(3):
        load_leads(sample_leads(3), table="sales.leads")
    assert database.rows("SELECT COUNT(*) FROM sales.main.leads") == [(3,)]
    assert database.rows("SELECT COUNT(*) FROM main._sela_loads") == [(3,)]


def test_a_file_that_is_opened_for_reading_only_is_told_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    load_leads(sample_leads(3))
    connection = {**database.connection, "extra": {"read_only": True}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with (
        engine_for("warehouse", "leads") as engine,
        pytest.raises(SelaTargetError, match="read-only") as told,
    ):
        check(engine, Mode.MERGE)
    assert not told.value.retryable


def test_a_load_that_is_given_in_many_files_lands_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    monkeypatch.setattr("airflow_provider_sela.storage.line_file._BLOCK_BYTES", 5_000)
    monkeypatch.setattr("airflow_provider_sela.warehouse.duckdb._FILE_BYTES", 10_000)
    assert load_leads(sample_leads(100))["new"] == 100
    assert load_leads(sample_leads(100))["unchanged"] == 100
    assert [row["id"] for row in database.table()] == sorted(item["id"] for item in sample_leads(100))
