"""A field that the vendor renames is told by name, and stops a load where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi
from tests.support.databases import DuckDB
from tests.support.loads import load

RENAMED = {"reengagements_count": "reengagement_count", "last_reengagement_time": "reengagement_time"}
TOLD = {
    "missing_fields": ["reengagements_count", "last_reengagement_time"],
    "unknown_fields": ["reengagement_count", "reengagement_time"],
}
WARNING = (
    "no lead has: reengagements_count, last_reengagement_time;"
    " not documented are: reengagement_count, reengagement_time"
)


def rename(api: SelaApi) -> None:
    for lead in api.leads.values():
        for old, new in RENAMED.items():
            lead[new] = lead.pop(old)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda: caplog.text + "".join(capfd.readouterr())


def test_renamed_fields_are_told_in_result_books_and_log(
    api: SelaApi, warehouse: DuckDB, logged: Any
) -> None:
    result = load()
    assert (result["missing_fields"], result["unknown_fields"]) == ([], [])
    rename(api)
    result = load(run_id="second")
    assert {name: result[name] for name in TOLD} == TOLD
    books = warehouse.table("_sela_loads", "started")
    assert [(row["missing_fields"], row["unknown_fields"]) for row in books] == [
        (None, None), (", ".join(TOLD["missing_fields"]), ", ".join(TOLD["unknown_fields"])),
    ]  # fmt: skip
    assert WARNING in logged()
    assert {row["reengagements_count"] for row in warehouse.table()} == {None}
    assert all("reengagement_count" in row["extra"] for row in warehouse.table())


def test_a_change_of_fields_fails_before_anything_is_written_where_that_is_asked_for(
    api: SelaApi, warehouse: DuckDB
) -> None:
    load(on_schema_change="fail")
    before = warehouse.table()
    rename(api)
    with pytest.raises(AirflowFailException, match=WARNING.replace("(", r"\(") + ".*Nothing was written"):
        load(on_schema_change="fail")
    assert warehouse.table() == before
    assert len(warehouse.table("_sela_loads", "started")) == 1


def test_a_change_of_fields_can_be_ignored_and_is_still_recorded(
    api: SelaApi, warehouse: DuckDB, logged: Any
) -> None:
    rename(api)
    assert load(on_schema_change="ignore")["missing_fields"] == TOLD["missing_fields"]
    assert "documented" not in logged()


def test_anything_else_is_refused_before_the_first_request(api: SelaApi, warehouse: DuckDB) -> None:
    with pytest.raises(SelaRequestError, match="on_schema_change is 'stop': allowed are warn, fail and ign"):
        load(on_schema_change="stop")
    assert api.requests == []


def test_an_asset_event_tells_what_changed(api: SelaApi, warehouse: DuckDB) -> None:
    from types import SimpleNamespace

    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    rename(api)
    asset = Asset("sela://api.trysela.com/leads")
    events = {asset: SimpleNamespace(extra={})}
    operator = SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads", outlets=[asset])
    context: Any = {"run_id": "manual__1", "outlet_events": events}
    operator.execute(context)
    assert {name: events[asset].extra[name] for name in TOLD} == TOLD


@pytest.mark.parametrize("encoding", ["in fields", "after privacy rules"])
def test_excluded_fields_are_not_missing(api: SelaApi, warehouse: DuckDB, encoding: str) -> None:
    excluded = ["email", "status_reason"] + (["extra"] if encoding == "in fields" else [])
    rename(api)
    result = load(exclude_fields=excluded)
    assert result["missing_fields"] == TOLD["missing_fields"]
    assert result["unknown_fields"] == ([] if "extra" in excluded else TOLD["unknown_fields"])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_a_file_with_columns_tells_the_same(
    api: SelaApi, warehouse: DuckDB, tmp_path: Path, suffix: str
) -> None:
    rename(api)
    path = tmp_path / f"leads{suffix}"
    result = SelaLeadsOperator(task_id="file", path=str(path)).execute({"run_id": "manual__1"})
    assert isinstance(result, dict)
    assert {name: result[name] for name in TOLD} == TOLD
    manifest = json.loads(path.with_name(f"leads{suffix}.manifest.json").read_text())
    assert {name: manifest[name] for name in TOLD} == TOLD


@pytest.mark.parametrize("arguments", [{}, {"path": "leads.parquet"}, {"path": "leads.jsonl"}])
def test_nothing_is_returned_or_written_where_a_change_is_to_fail(
    api: SelaApi, warehouse: DuckDB, tmp_path: Path, arguments: dict[str, str]
) -> None:
    rename(api)
    given = {name: str(tmp_path / value) for name, value in arguments.items()}
    operator = SelaLeadsOperator(task_id="file", on_schema_change="fail", **given)
    with pytest.raises(AirflowFailException, match="no lead has: reengagements_count"):
        operator.execute({"run_id": "manual__1"})
    assert [path for path in tmp_path.iterdir() if path.name.startswith("leads")] == []
