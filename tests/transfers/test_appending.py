"""Loads that share a run id, in a real Airflow: none takes another's rows for its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import DuckDB

pytestmark = pytest.mark.airflow


def test_dags_of_one_schedule_and_mapped_tasks_append_beside_each_other(
    warehouse: DuckDB, tmp_path: Path
) -> None:
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(folder / "appending_dags.py")],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "PYTHONPATH": str(folder.parent.parent),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    runs = [line.split()[1:] for line in done.stdout.split("\n") if line.startswith("RUN ")]
    assert [state for _, state in runs] == ["success"] * 3, (done.stdout + done.stderr)[-4000:]
    assert len({run_id for run_id, _ in runs}) == 1
    assert warehouse.rows("SELECT id FROM leads ORDER BY id") == [(28_001,), (28_002,), (28_002,), (28_003,)]
    rows = warehouse.rows("SELECT _sela_run_id, _sela_load_id FROM leads")
    assert {row[0] for row in rows} == {runs[0][0]}
    assert len({row[1] for row in rows}) == 4
    books = warehouse.rows("SELECT dag_id, task_id, map_index FROM _sela_loads")
    # Airflow runs mapped tasks in any order.
    loads = [(dag, "load", place) for dag in ("first", "second", "second") for place in (0, 1)]
    assert sorted(books) == sorted(loads)
