"""Pages that are programs of several parts: followed as a whole, they do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.docs.pages import blocks

DOCS = REPOSITORY / "docs"
pytestmark = pytest.mark.airflow


def run(folder: Path, *words: str, **environment: str) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**inherited, "no_proxy": "*", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_page_on_testing_pass(tmp_path: Path) -> None:
    files = ("leads.py", "conftest.py", "test_leads.py")
    for name, block in zip(files, blocks(DOCS / "testing.md", "python"), strict=False):
        (tmp_path / name).write_text(block.code)
    run(tmp_path, "-m", "pytest", "-q", "test_leads.py")


def test_its_program_without_pytest_runs(tmp_path: Path) -> None:
    *_, block = blocks(DOCS / "testing.md", "python")
    run(tmp_path, "-c", block.code)


def test_outcomes_of_calls_come_from_the_queue_once_and_nothing_is_lost(tmp_path: Path) -> None:
    """A message twice, one that is no JSON, one without the fields, one of a lead that nobody knows."""
    queue, dags, database = tmp_path / "queue", tmp_path / "dags", tmp_path / "leads.duckdb"
    queue.mkdir()
    dags.mkdir()
    told = {"id": 28_000, "email": "a@example.com", "call_count": 2, "last_chat": {"result": "BOOKED"}}
    messages = {"a": told, "b": told, "c": {"id": 28_001}, "d": {**told, "id": 1}}
    for name, message in messages.items():
        (queue / f"{name}.json").write_text(json.dumps(message))
    (queue / "e.json").write_text("nonsense")
    [block] = blocks(DOCS / "webhooks.md", "python")
    (dags / "call_outcomes.py").write_text(block.code.replace("/tmp/sela_webhooks", str(queue)))  # noqa: S108
    with SelaApi(leads=30) as api:
        environment = {
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
            "AIRFLOW_CONN_LEADS_DB": json.dumps({"conn_type": "duckdb", "host": str(database)}),
        }
        run(tmp_path, "-m", "airflow", "db", "migrate", **environment)
        run(tmp_path, "-m", "airflow", "dags", "test", "call_outcomes", **environment)
    with duckdb.connect(str(database), read_only=True) as db:
        rows = db.sql("SELECT lead_id, call_count, last_chat FROM call_outcomes ORDER BY lead_id").fetchall()
        seen = db.sql("SELECT lead_id FROM call_outcomes JOIN leads ON leads.id = lead_id").fetchall()
    assert rows == [(1, 2, '{"result": "BOOKED"}'), (28_000, 2, '{"result": "BOOKED"}')]
    assert seen == [(28_000,)]
    assert sorted(file.name for file in queue.iterdir()) == ["c.refused", "e.refused"]
