"""``sela-demo`` as its reader runs it: a real Airflow, from nothing to a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_sela.demo import LEADS
from tests.support.databases import DuckDB

pytestmark = pytest.mark.airflow


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "airflow_provider_sela.demo", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_demo_lands_every_lead_and_shows_the_load_and_the_first_leads(tmp_path: Path) -> None:
    done = demo(tmp_path / "new" / "folder")
    assert (done.returncode, done.stderr) == (0, "")
    database = tmp_path / "new" / "folder" / "leads.duckdb"
    warehouse = DuckDB(database.parent)
    warehouse.path = database
    rows = warehouse.table()
    assert len(rows) == LEADS
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
    assert (told["verdict"], told["read"], told["new"]) == ("PROVEN(id)", str(LEADS), str(LEADS))
    assert str(rows[0]["id"]) in done.stdout
    assert f"Table: {database}" in done.stdout


def test_a_demo_that_fails_shows_the_end_of_its_log_and_the_status_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "airflow" / "airflow.db").mkdir(parents=True)
    done = demo(tmp_path)
    assert done.returncode == 1
    assert f"the whole log is in {tmp_path}/demo.log" in done.stdout
    assert "unable to open database file" in done.stdout
    assert "dags test" not in done.stdout
