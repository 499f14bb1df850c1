"""The example DAGs are what users copy: they import anywhere, and they do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.examples.running import last_event, run, state
from tests.support.databases import DuckDB, Postgres

#: What the table would say if its loads had been so long ago.
TEN_HOURS_LATER = """
UPDATE lead_history SET _sela_valid_from = _sela_valid_from - INTERVAL 10 HOURS,
                        _sela_valid_to = _sela_valid_to - INTERVAL 10 HOURS,
                        _sela_synced_at = _sela_synced_at - INTERVAL 10 HOURS
"""
EXAMPLES = sorted(path.stem for path in (REPOSITORY / "example_dags").glob("*.py") if path.stem != "__init__")


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
def test_examples_import_without_a_connection_and_without_network() -> None:
    """All in one process, which takes Airflow seconds to start; a failure names the file."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_CONN_")}
    code = (
        "import importlib, socket\n"
        "def refuse(*args): raise AssertionError('an example opened a connection at import')\n"
        "socket.socket.connect = refuse\n"
        f"for name in {EXAMPLES!r}: importlib.import_module('example_dags.' + name)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    ("name", "conf", "ids"),
    [
        ("sela_leads_to_duckdb", {}, range(28000, 28250)),
        ("sela_leads_with_checks", {}, range(28000, 28250)),
        ("sela_new_leads_event", {}, range(28000, 28250)),
        ("sela_wait_for_lead", {"external_id": "id_in_your_crm_28007"}, [28007]),
        ("sela_leads_in_parts", {"path": "{folder}/parts"}, range(28000, 28250)),
    ],
)
def test_an_example_that_runs_twice_gives_the_same_rows_and_finds_nothing_new(
    name: str,
    conf: dict[str, str],
    ids: Sequence[int],
    api: SelaApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import duckdb

    database = tmp_path / "leads.duckdb"
    warehouse = {"conn_type": "duckdb", "host": str(database)}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    monkeypatch.setenv("AIRFLOW_CONN_DUCKDB_DEFAULT", json.dumps(warehouse))

    conf = {key: value.format(folder=tmp_path) for key, value in conf.items()}

    def load() -> tuple[list[tuple[object, ...]], tuple[object, ...]]:
        assert state(run(name, **conf)) == "success"
        with duckdb.connect(str(database), read_only=True) as connection:
            rows = connection.sql("SELECT * FROM leads ORDER BY id").fetchall()
            counts = "SELECT new, changed, unchanged FROM _sela_loads ORDER BY finished DESC LIMIT 1"
            return rows, connection.sql(counts).fetchall()[0]

    first, first_counts = load()
    second, second_counts = load()

    assert [row[0] for row in first] == list(ids)
    assert first == second
    assert (first_counts, second_counts) == ((len(ids), 0, 0), (0, 0, len(ids)))
    if find_spec("airflow.sdk"):  # Airflow 2 keeps no event of a DAG that is tested like this
        told = last_event("x-duckdb://duckdb_default/leads")
        assert told["unchanged"] == len(ids)
        assert told["verdict"].partition("(")[0] in ("ATOMIC", "PROVEN")


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
def test_a_check_after_the_load_tells_of_a_malformed_time_and_the_lead_is_there(
    api: SelaApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    monkeypatch.setenv("AIRFLOW_CONN_DUCKDB_DEFAULT", json.dumps(warehouse.connection))
    api.leads[28_007]["modified_time"] = "025-02-28T15:09:03.122515-08:00"
    assert state(run("sela_leads_with_checks")) == "failed"
    assert warehouse.rows("SELECT id FROM leads WHERE modified_time IS NULL") == [(28_007,)]


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
def test_history_tells_how_long_leads_stay_in_a_status_and_where_they_go(
    api: SelaApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    monkeypatch.setenv("AIRFLOW_CONN_DUCKDB_DEFAULT", json.dumps(warehouse.connection))
    first, second, third, fourth = leads = sorted(api.leads)[:4]
    for number in set(api.leads) - set(leads):
        del api.leads[number]
    changes: list[dict[int, dict[str, Any] | None]] = [
        {number: {"status": "OPEN"} for number in leads},
        {first: {"status": "CLOSED"}, second: {"status": "CLOSED"}, third: {"us_state": "WA"}},
        {first: {"status": "OPEN"}, third: {"status": "LOST"}, fourth: None},
    ]
    for change in changes:
        if change is not changes[0]:
            warehouse.run(TEN_HOURS_LATER)
        for number, values in change.items():
            if values is None:
                del api.leads[number]
            else:
                api.update(number, **values)
        assert state(run("sela_lead_history")) == "success"
    assert len(warehouse.table("lead_history")) == 4 + 3 + 2
    found = warehouse.rows("SELECT status, next_status, leads, round(hours, 1) FROM lead_status_times")
    assert set(found) == {
        ("OPEN", "CLOSED", 2, 10.0),
        ("OPEN", "LOST", 1, 20.0),
        ("OPEN", None, 2, 10.0),
        ("CLOSED", "OPEN", 1, 10.0),
        ("CLOSED", None, 1, 10.0),
        ("LOST", None, 1, 0.0),
    }


@pytest.mark.server
@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
def test_leads_land_in_postgres_with_hashes_and_marks(
    request: pytest.FixtureRequest, api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("psycopg", "airflow.providers.postgres.hooks.postgres"):
        pytest.importorskip(module)
    database = Postgres(request.getfixturevalue("postgres_port"), "example")
    salt = {"conn_type": "generic", "password": "a salt of many characters"}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", json.dumps(database.connection))
    monkeypatch.setenv("AIRFLOW_CONN_SELA_SALT", json.dumps(salt))
    assert state(run("sela_leads_to_postgres")) == "success"
    gone = api.leads.pop(28_007)
    assert state(run("sela_leads_to_postgres")) == "success"
    rows = database.table("public.leads")
    assert [row["id"] for row in rows] == list(range(28_000, 28_250))
    assert [row["id"] for row in rows if row["_sela_deleted_at"]] == [gone["id"]]
    assert {len(row["email"]) for row in rows if row["email"]} == {32}
    kept = {key for row in rows if isinstance(row["metadata"], dict) for key in row["metadata"]}
    assert kept == {"lead_source", "timezone"}
    books = database.rows("SELECT new, unchanged, deleted FROM public._sela_loads ORDER BY finished")
    assert books == [(250, 0, 0), (0, 249, 1)]


def test_every_example_is_run() -> None:
    assert EXAMPLES == [
        "sela_lead_history", "sela_leads_in_parts", "sela_leads_to_bigquery", "sela_leads_to_duckdb",
        "sela_leads_to_postgres", "sela_leads_to_snowflake", "sela_leads_with_checks", "sela_new_leads_event",
        "sela_wait_for_lead",
    ]  # fmt: skip
