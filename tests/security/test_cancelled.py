"""A task that is told to end, by a signal or its ``execution_timeout``, ends in seconds and leaves nothing.

Real processes: the signal goes to the process in which Airflow runs the task, and its own handler takes it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.security.belongings import eventually, files

pytestmark = pytest.mark.airflow

SCRIPT = Path(__file__).parent / "dags" / "cancelled" / "cancelled.py"
#: Bound for the end of the process, most of which is Airflow's own on a busy machine. The read takes longer.
SECONDS = 20


class Task:
    """A process that runs the task of ``dags/cancelled.py`` against a slow API."""

    def __init__(self, api: SelaApi, home: Path, kind: str, seconds: float) -> None:
        self.api = api
        api.latency = 3
        self.target, self.temporary = home / "target", home / "tmp"
        for folder in (self.target, self.temporary, home / "airflow"):
            folder.mkdir()
        target = {"conn_type": "sqlite", "host": f"{self.target}/leads.db"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT],
            env=environment
            | {
                "AIRFLOW_HOME": str(home / "airflow"),
                "AIRFLOW__CORE__DAGS_FOLDER": str(SCRIPT.parent),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
                "AIRFLOW_CONN_TARGET": json.dumps(target),
                "PYTHONPATH": str(REPOSITORY),
                "SELA_TEST_FOLDER": str(self.target),
                "SELA_TEST_KIND": kind,
                "SELA_TEST_SECONDS": str(seconds),
                "TMPDIR": str(self.temporary),
                "no_proxy": "*",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Task:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()

    def reads(self) -> bool:
        """Wait until it is in the middle of its work."""
        return eventually(lambda: len(self.api.requests) > 1 or self.process.poll() is not None, 240)

    def output(self, seconds: float = 240) -> str:
        """What it printed until its end."""
        return self.process.communicate(timeout=seconds)[0]

    def children(self) -> list[str]:
        """Processes that it started."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return [line for thread in tasks.glob("*/children") for line in thread.read_text().split()]


def test_a_task_that_gets_sigterm_ends_in_seconds_and_leaves_nothing(api: SelaApi, tmp_path: Path) -> None:
    with Task(api, tmp_path, "file", seconds=600) as task:
        assert task.reads()
        assert task.children() == []
        started = time.monotonic()
        task.process.send_signal(signal.SIGTERM)
        output = task.output()
        assert "STATE failed" in output, output[-3000:]
        assert "the task was told to end" in output
        assert time.monotonic() - started < SECONDS
        assert_nothing_is_left(task)


def test_a_task_that_takes_too_long_ends_in_seconds_and_leaves_nothing(api: SelaApi, tmp_path: Path) -> None:
    # Long enough for what a first load imports: code of others that catches everything would take it.
    with Task(api, tmp_path, "table", seconds=6) as task:
        assert task.reads()
        started = time.monotonic()
        output = task.output()
        assert "STATE failed" in output, output[-3000:]
        assert "AirflowTaskTimeout" in output
        assert time.monotonic() - started < 6 + SECONDS
        assert_nothing_is_left(task)


def assert_nothing_is_left(task: Task) -> None:
    asked = len(task.api.requests)
    # A database that was opened and not written is a file without a byte.
    assert [name for name in files(task.target) if (task.target / name).stat().st_size] == []
    assert files(task.temporary) == []
    time.sleep(1)
    assert len(task.api.requests) <= asked
