"""``sela-demo --ui``: Airflow's UI runs until Ctrl-C, for this machine only, and then nothing does."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
import requests

from tests.airflow.demos import PROGRAM, environment, left_running
from tests.airflow.services import until
from tests.support.terminal import Terminal

pytest.importorskip("airflow.sdk", reason="the REST API is another one in Airflow 2")
pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def part(place: Path, name: str) -> psutil.Process:
    """A part of the demo's Airflow, of which the processes below it have the same command."""
    commands = left_running(place).items()
    [found] = [pid for pid, command in commands if name in command and os.getsid(pid) == pid]
    return psutil.Process(found)


def successful_runs(url: str) -> list[str]:
    """Kinds of the runs that Airflow's REST API knows."""
    with requests.Session() as session:
        session.trust_env = False
        token = session.get(f"{url}/auth/token", timeout=30).json()["access_token"]
        answer = session.get(
            f"{url}/api/v2/dags/sela_leads_to_duckdb/dagRuns",
            params={"state": "success"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        return sorted(run["run_type"] for run in answer.json()["dag_runs"])


def test_the_ui_shows_the_load_to_this_machine_only_until_ctrl_c(place: Path) -> None:
    with ExitStack() as stack:
        with suppress(OSError):
            # As if the reader's own Airflow ran.
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        terminal = stack.enter_context(Terminal([PROGRAM, "--ui"], place, environment()))
        terminal.read_until("until Ctrl-C.")
        assert len(terminal.rows) <= 20
        told = r"Airflow's UI is at (http://127\.0\.0\.1:\d+), for this machine only, until Ctrl-C\."
        found = re.fullmatch(told, terminal.rows[-1])
        assert found
        assert not found[1].endswith(":8080")
        # One by the demo, one by the schedule.
        until(lambda: successful_runs(found[1]) == ["manual", "scheduled"], 120)
        listening = [
            connection.laddr.ip
            for pid in left_running(place)
            for connection in psutil.Process(pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}
        # A part that does not end when it is asked to, and a reader who does not wait.
        part(place, "triggerer").suspend()
        terminal.press("\x03")
        time.sleep(1)
        terminal.press("\x03")
        assert terminal.wait(60) == 0
    assert re.fullmatch(r"✓ Airflow has ended \(\d+ s\)", terminal.rows[-1])
    assert "Traceback" not in terminal.output
    assert left_running(place) == {}


def test_a_part_that_ends_by_itself_is_told_and_the_others_end_too(place: Path) -> None:
    with Terminal([PROGRAM, "--ui"], place, environment()) as terminal:
        terminal.read_until("until Ctrl-C.")
        part(place, "triggerer").suspend()
        part(place, "dag-processor").kill()
        assert terminal.wait(60) == 1
    assert "\nsela-demo: airflow dag-processor: " in terminal.output
    assert terminal.rows[-1] == "The whole log: sela_demo/demo.log"
    assert left_running(place) == {}
