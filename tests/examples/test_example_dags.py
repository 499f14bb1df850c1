"""The example DAGs are what users copy: they import anywhere, and they do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.examples.running import run, state

EXAMPLES = sorted(path.stem for path in (REPOSITORY / "example_dags").glob("*.py") if path.stem != "__init__")


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_imports_without_a_connection_and_without_network(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_CONN_")}
    code = (
        "import socket\n"
        "def refuse(*args): raise AssertionError('an example opened a connection at import')\n"
        "socket.socket.connect = refuse\n"
        f"import example_dags.{name}\n"
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
        ("sela_new_leads_event", {}, range(28000, 28250)),
        ("sela_wait_for_lead", {"external_id": "id_in_your_crm_28007"}, [28007]),
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


def test_every_example_is_run() -> None:
    assert EXAMPLES == ["sela_leads_to_duckdb", "sela_new_leads_event", "sela_wait_for_lead"]
