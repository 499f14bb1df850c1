"""Promises of SelaLeadsToSqlOperator, over real HTTP into a real database."""

from __future__ import annotations

import gc
import inspect
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi, sample_lead
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from tests.snapshot.drifting import DriftingList
from tests.support.databases import DuckDB
from tests.support.drifting_api import DriftingApi
from tests.support.loads import SALT, load
from tests.support.tasks import rendered


def test_leads_land_and_the_counts_are_the_result(
    api: SelaApi, warehouse: DuckDB, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = load()
    assert result.pop("seconds") > 0
    assert result.pop("requests") == len(api.requests)
    assert result == {
        "table": "leads", "verdict": "PROVEN(id)", "read": 250, "new": 250, "changed": 0, "unchanged": 0,
        "deleted": 0, "ahead": 0, "nulled": 5, "rejected": 0, "retries": 0, "repaired": 0, "passes": 1,
        "scope": "full", "since": None, "why_full": None, "missing_fields": [], "unknown_fields": [],
    }  # fmt: skip
    assert [row["id"] for row in warehouse.table()] == list(api.leads)
    json.dumps(result)


def test_the_result_is_logged_in_one_line(
    warehouse: DuckDB, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    load()
    logged = caplog.text + "".join(capfd.readouterr())
    assert (
        "landed table=leads verdict=PROVEN(id) read=250 new=250 changed=0 unchanged=0 deleted=0 ahead=0"
        in logged
    )


def test_a_warning_counts_malformed_values_by_column_and_shows_none(
    monkeypatch: pytest.MonkeyPatch,
    warehouse: DuckDB,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    leads = [{**sample_lead(n), "lead_type": "rubbish", "next_call_time": "025-02-28"} for n in (1, 2)]
    with SelaApi(leads=[*leads, {**sample_lead(3), "lead_type": "rubbish"}]) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        assert load()["nulled"] == 5
    logged = caplog.text + "".join(capfd.readouterr())
    assert "malformed values became NULL (lead_type 3, next_call_time 2); extra keeps what came" in logged
    assert "rubbish" not in logged


def test_the_second_run_finds_nothing_new(warehouse: DuckDB) -> None:
    load(run_id="first")
    before = warehouse.table()
    second = load(run_id="second")
    assert (second["new"], second["changed"], second["unchanged"]) == (0, 0, 250)
    assert warehouse.table() == before


def test_the_garbage_collector_is_spared_what_airflow_has_imported_while_rows_are_made(
    api: SelaApi, warehouse: DuckDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, frozen = RawLead.row_content, list[int]()

    def noted(lead: RawLead) -> Any:
        frozen.append(gc.get_freeze_count())
        return made(lead)

    monkeypatch.setattr(RawLead, "row_content", noted)
    load()
    SelaLeadsOperator(task_id="file", path=str(tmp_path / "leads.parquet")).execute({})
    assert len(frozen) == 2 * len(api.leads)
    assert all(frozen)
    assert gc.get_freeze_count() == 0


def test_a_change_at_sela_arrives(api: SelaApi, warehouse: DuckDB) -> None:
    load()
    api.update(28_007, status="LOST")
    api.add()
    result = load(run_id="second")
    assert (result["new"], result["changed"], result["unchanged"]) == (1, 1, 249)


def test_rows_and_books_carry_airflows_run_id(warehouse: DuckDB) -> None:
    load(run_id="scheduled__2026-11-01")
    assert {row["_sela_run_id"] for row in warehouse.table()} == {"scheduled__2026-11-01"}
    assert [row["run_id"] for row in warehouse.table("_sela_loads", "run_id")] == ["scheduled__2026-11-01"]


def test_without_a_run_id_the_start_of_the_read_stands_in(warehouse: DuckDB) -> None:
    load(run_id=None)
    (run_id,) = {row["_sela_run_id"] for row in warehouse.table()}
    assert datetime.fromisoformat(run_id.removeprefix("manual__")) <= datetime.now(UTC)


def test_filters_limit_what_lands(api: SelaApi, warehouse: DuckDB) -> None:
    wanted = api.leads[28_003]["external_id"]
    assert load(external_id=wanted)["read"] == 1
    assert [row["external_id"] for row in warehouse.table()] == [wanted]


def test_a_target_that_does_not_fit_costs_no_request(api: SelaApi, warehouse: DuckDB) -> None:
    warehouse.run("CREATE TABLE leads (id VARCHAR)")
    with pytest.raises(AirflowFailException, match=r"column id is varchar.*make it bigint"):
        load()
    assert api.requests == []


def test_a_read_that_fails_leaves_the_target_as_it_was(api: SelaApi, warehouse: DuckDB) -> None:
    load()
    before = warehouse.table()
    api.update(28_007, status="LOST")
    api.answer_next(200)
    api.answer_next(401, times=50)
    with pytest.raises(AirflowFailException, match="token"):
        load()
    assert warehouse.table() == before


@pytest.mark.parametrize("mode", ["merge", "replace", "append", "history"])
def test_every_mode_is_chosen_by_its_name(warehouse: DuckDB, mode: str) -> None:
    assert load(mode=mode)["new"] == 250
    assert load(mode=mode)["new"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "upsert"}, "mode is 'upsert': allowed are merge, replace, append and history"),
        ({"deletes": "remove"}, "deletes is 'remove': allowed are ignore and mark"),
        ({"deletes": "mark", "mode": "append"}, "goes with merge and history"),
        ({"deletes": "mark", "email": "a@example.com"}, "leave the filters out"),
        ({"deletes": "mark", "max_deletes": "many"}, "max_deletes is 'many'"),
        ({"deletes": "mark", "max_deletes": -1}, "max_deletes is -1"),
        ({"deletes": "mark", "max_deletes": 1.5}, "max_deletes is 1.5"),
        ({"table": "leads; DROP TABLE leads"}, "expected is a name such as leads"),
        ({"hash_fields": ["email"]}, "salt of at least 16 characters"),
    ],
)
def test_arguments_that_make_no_sense_fail_at_once(
    api: SelaApi, warehouse: DuckDB, arguments: dict[str, Any], message: str
) -> None:
    given = {"conn_id": "warehouse", "table": "leads", **arguments}
    with pytest.raises(SelaRequestError, match=message):
        SelaLeadsToSqlOperator(task_id="load", **given)
    with pytest.raises(AirflowFailException, match=message):
        rendered(SelaLeadsToSqlOperator, **given).execute({})
    assert api.requests == []


def test_what_may_contradict_each_other_once_it_is_rendered_passes_until_then() -> None:
    arguments = {"conn_id": "warehouse", "table": "{{ table }}", "deletes": "mark"}
    SelaLeadsToSqlOperator(task_id="mode", mode="{{ mode }}", **arguments)
    SelaLeadsToSqlOperator(task_id="filter", email="{{ email }}", **arguments)


def test_the_text_of_false_creates_no_table_and_adds_no_column(api: SelaApi, warehouse: DuckDB) -> None:
    given: dict[str, Any] = {"conn_id": "warehouse", "table": "leads"}
    with pytest.raises(AirflowFailException, match="there is no table leads"):
        rendered(SelaLeadsToSqlOperator, native=False, **given, create_table=False).execute({})
    warehouse.run("CREATE TABLE leads (id BIGINT)")
    with pytest.raises(AirflowFailException, match="add_columns"):
        rendered(SelaLeadsToSqlOperator, native=False, **given, add_columns=False).execute({})
    assert api.requests == []
    assert rendered(SelaLeadsToSqlOperator, native=False, **given, add_columns=True).execute({})["new"] == 250


def test_none_that_became_a_text_makes_no_table_of_that_name(api: SelaApi, warehouse: DuckDB) -> None:
    with pytest.raises(AirflowFailException, match="table is the text None"):
        rendered(SelaLeadsToSqlOperator, native=False, conn_id="warehouse", table=None).execute({})
    assert api.requests == []


def test_every_argument_is_templated(warehouse: DuckDB) -> None:
    own = inspect.signature(SelaLeadsToSqlOperator.__init__).parameters
    assert {name for name in own if name not in ("self", "kwargs")} <= set(
        SelaLeadsToSqlOperator.template_fields
    )
    with DAG("templates", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        operator = SelaLeadsToSqlOperator(
            task_id="load",
            conn_id="{{ params.where }}",
            table="{{ params.table }}",
            max_deletes="{{ 0.5 }}",
            exclude_fields=["{{ params.field }}"],
        )
    values: Any = {"params": {"where": "warehouse", "table": "sales", "field": "email"}}
    operator.render_template_fields(values)
    assert operator.execute(values)["table"] == "sales"
    assert warehouse.rows("SELECT COUNT(*), COUNT(email) FROM sales") == [(250, 0)]


def test_hidden_fields_are_nowhere_in_the_database(
    api: SelaApi, warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
    load(exclude_fields=["email"], hash_fields=["phone_number"], salt_conn_id="salt", keep_metadata=["city"])
    rows = warehouse.table()
    assert {row["email"] for row in rows} == {None}
    assert {len(row["phone_number"]) for row in rows} == {32}
    assert {key for row in rows for key in row["metadata"] or {}} == {"city"}
    content = Path(warehouse.path).read_bytes()
    for hidden in (b"@example.com", b"55501", b"Example Street", SALT.encode()):
        assert hidden not in content
    assert (
        load(
            exclude_fields=["email"],
            hash_fields=["phone_number"],
            salt_conn_id="salt",
            keep_metadata=["city"],
        )["unchanged"]
        == 250
    )


@pytest.mark.parametrize("kind", ["duckdb", "mysql", "postgres", "snowflake"])
def test_a_missing_provider_names_the_extra(
    warehouse: DuckDB,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    providers_manager: Any,
    kind: str,
) -> None:
    # It would remember for other tests that there is no such hook.
    request.addfinalizer(providers_manager._cleanup)
    monkeypatch.setitem(sys.modules, f"airflow.providers.{kind}.hooks.{kind}", None)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": kind}))
    with pytest.raises(AirflowFailException, match=rf"pip install 'airflow-provider-sela\[{kind}\]'"):
        load()


def test_a_connection_that_is_no_database_is_refused(
    warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch, api: SelaApi
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "fs"}))
    with pytest.raises(AirflowFailException, match="'fs', which is no SQL database"):
        load()


def test_a_duckdb_without_a_file_is_refused(warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "duckdb"}))
    with pytest.raises(AirflowFailException, match="put the path of a database file into Host"):
        load()


def test_a_database_that_is_not_there_is_told_once(
    warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = {"conn_type": "duckdb", "host": str(tmp_path / "no" / "such" / "folder.duckdb")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(missing))
    with pytest.raises(AirflowFailException, match="connection 'warehouse': cannot open the database"):
        load()


def test_the_books_say_why_a_read_is_no_proof_and_what_it_took(
    warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    drifting = DriftingList("id", leads=300, cap=50, honours_page_size=False)
    with DriftingApi(drifting) as api:
        connection = {**api.connection, "extra": {"page_size": 20}}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        result = load()
    (books,) = warehouse.table("_sela_loads", "run_id")
    assert (result["verdict"], result["passes"]) == ("CONVERGED(2)", 2)
    assert (books["verdict"], books["passes"], books["repaired"]) == ("CONVERGED(2)", 2, result["repaired"])
    assert "page_size" in books["reason"]
