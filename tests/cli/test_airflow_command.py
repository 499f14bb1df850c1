"""The commands where they depend on Airflow: its command line, and its metadata database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_sela.testing import SelaApi

TOKEN = "planted-token-4711"
AIRFLOW_HAS_COMMANDS = tuple(map(int, version("apache-airflow").split(".")[:2])) >= (3, 2)
COMMANDS = [
    pytest.param((sys.executable, "-m", "airflow_provider_sela"), id="python -m"),
    pytest.param(
        (sys.executable, "-m", "airflow", "sela"),
        id="airflow sela",
        marks=pytest.mark.skipif(not AIRFLOW_HAS_COMMANDS, reason="Airflow 3.2 and newer"),
    ),
]


@pytest.mark.airflow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_connection_in_the_metadata_database_is_found(command: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    environment.pop("AIRFLOW_CONN_SELA_DEFAULT", None)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    airflow = (sys.executable, "-m", "airflow")
    with SelaApi(leads=30, token=TOKEN) as api:
        assert call(*airflow, "db", "migrate").returncode == 0
        added = call(*airflow, "connections", "add", "kept", "--conn-json", json.dumps(dict(api.connection)))
        assert added.returncode == 0, added.stderr
        done = call(*command, "check", "--conn-id", "kept", "--output", "json")
    assert done.returncode == 0, done.stderr
    # What Airflow's own command logs while it starts is not ours to silence.
    told = done.stdout[done.stdout.index("{\n") :] if "sela" in command else done.stdout
    assert json.loads(told)["count"] == 30
    assert TOKEN not in done.stdout + done.stderr
