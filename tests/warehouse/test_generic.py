"""Hooks, drivers and dialects of all kinds behind the engine for databases without one of their own."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetUnavailableError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.generic import GenericEngine
from airflow_provider_sela.warehouse.registry import engine_for
from tests.support.databases import Database, SQLite
from tests.support.loads import expected, landed, lead, load_leads, moment


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SQLite:
    """A hook that knows no autocommit, and a driver that gives timestamps as text."""
    database = SQLite(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    return database


def load(leads: list[Any], **options: Any) -> dict[str, Any]:
    return load_leads(leads, engine=GenericEngine(engine_for("warehouse", "leads").hook, "leads"), **options)


def test_a_database_that_keeps_times_as_text_still_knows_which_lead_is_newer(sqlite: SQLite) -> None:
    at_noon, later = "2026-11-01T12:00:00Z", "2026-11-01T12:00:00.000001Z"
    load([lead(1, modified_time=at_noon), lead(2, modified_time=at_noon)], started=moment(2))
    overlapping = [lead(1, modified_time=at_noon, status="OLD"), lead(2, modified_time=later, status="NEW")]
    assert load(overlapping, started=moment(1))["changed"] == 1
    assert [row["status"] for row in sqlite.table()] == [lead(1)["status"], "NEW"]


def test_a_driver_gets_pythons_own_times_whatever_a_read_gives(sqlite: SQLite) -> None:
    dialect = GenericEngine(engine_for("warehouse", "leads").hook, "leads").dialect
    time = dialect.timestamp(pendulum.datetime(2026, 2, 28, 15, 9, 3, 139_554, tz="America/Los_Angeles"))
    assert (type(time), time.isoformat()) == (datetime, "2026-02-28T23:09:03.139554")


def test_without_autocommit_in_the_hook_a_failed_load_writes_nothing(sqlite: SQLite) -> None:
    load([lead(1)])
    sqlite.run("CREATE UNIQUE INDEX only_one ON leads (email)")
    with pytest.raises(SelaTargetUnavailableError, match="nothing was written"):
        load([lead(1, status="LOST"), lead(2, email="a@example.com"), lead(3, email="a@example.com")])
    assert [(row["id"], row["status"]) for row in sqlite.table()] == [(1, lead(1)["status"])]


def test_a_driver_that_does_not_say_how_it_marks_parameters_is_used_as_the_hook_does(
    sqlite: SQLite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("sqlite3.paramstyle")
    assert load(sample_leads(3))["new"] == 3


@pytest.mark.parametrize("style", ["named", "numeric"])
def test_a_driver_with_another_parameter_style_is_refused_by_name(
    sqlite: SQLite, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlite3.paramstyle", style)
    with pytest.raises(SelaSetupError, match=f"'warehouse': .* style '{style}' .* qmark, format or pyformat"):
        load(sample_leads(3))
    assert sqlite.tables() == set()


@pytest.mark.server
@pytest.mark.parametrize("database", ["generic"], indirect=True)
def test_without_a_dialect_standard_sql_is_spoken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = database.connection
    connection["extra"]["sqlalchemy_scheme"] = "greenplum"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    leads = sample_leads(20)
    assert load_leads(leads)["new"] == 20
    assert [landed(row) for row in database.table()] == [expected(item) for item in leads]
    assert load_leads(leads)["unchanged"] == 20
