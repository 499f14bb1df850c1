"""A read in parts under a real scheduler: mapped tasks as processes, one killed, one part lost."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import Request, Response
from tests.airflow.services import Services, until
from tests.snapshot.drifting import DriftingList, Habits
from tests.support.databases import DuckDB
from tests.support.drifting_api import DriftingApi

pytest.importorskip("airflow.sdk", reason="the components have other names in Airflow 2")
pytestmark = pytest.mark.airflow


class Holding(DriftingApi):
    """Holds back the first answer after the plan's, until it is told to go on."""

    def __init__(self, leads: DriftingList) -> None:
        super().__init__(leads)
        self.go_on = threading.Event()
        self._held = threading.Semaphore(1)

    def respond(self, request: Request) -> Response:
        if len(self.requests) > 4 and self._held.acquire(blocking=False):
            self.go_on.wait(60)
        return super().respond(request)


def test_a_reader_is_killed_and_a_part_is_lost_and_no_lead_is(tmp_path: Path) -> None:
    drifting = DriftingList("-modified_time", leads=2000, habits=Habits(writes=1), seed=3)
    warehouse, parts = DuckDB(tmp_path), tmp_path / "parts"
    home = tmp_path / "airflow"
    home.mkdir()
    with Holding(drifting) as api:
        connections = {
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps({**api.connection, "extra": {"concurrency": 1}}),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse.connection),
        }
        dags = Path(__file__).parent / "dags"
        with Services(
            home, dags, connections, components=("api-server", "scheduler", "dag-processor")
        ) as airflow:
            airflow.unpause("in_parts")
            run = airflow.trigger("in_parts", {"path": str(parts)})
            killed = _kill_the_one_that_waits(airflow, run)
            api.go_on.set()
            tasks = _finish(airflow, run)
            xcoms = _xcoms(airflow, run)
            logs = airflow.logs()
    assert {task["state"] for task in tasks} == {"success"}
    readers = [task for task in tasks if task["task_id"] == "read"]
    assert len({task["pid"] for task in readers}) == 4
    assert {task["map_index"] for task in readers if task["try_number"] == 2} == {killed}
    assert "part 1 is not there: its windows are read again" in logs
    (books,) = warehouse.table("_sela_loads", "run_id")
    assert books["verdict"] == "PROVEN(-modified_time)"
    assert drifting.stable <= {row["id"] for row in warehouse.table()}
    assert list(parts.iterdir()) == []
    lead = api._template
    assert len(xcoms) == 1 + 4 + 1
    for secret in (lead["email"], lead["phone_number"], lead["metadata"]["first_name"], api.token):
        assert secret not in "".join(xcoms)
        assert secret not in logs


def _kill_the_one_that_waits(airflow: Services, run: str) -> int:
    """Wait until one reader is left, which waits for its answer, and kill it; gives its map index."""

    def readers() -> list[dict[str, Any]]:
        return [task for task in _tasks(airflow, run) if task["task_id"] == "read"]

    def one_is_left() -> bool:
        return sorted(task["state"] or "" for task in readers()) == ["running", *["success"] * 3]

    until(one_is_left, 120)
    (waiting,) = [task for task in readers() if task["state"] == "running"]
    os.kill(waiting["pid"], signal.SIGKILL)
    return int(waiting["map_index"])


def _finish(airflow: Services, run: str) -> list[dict[str, Any]]:
    ended = {"success", "failed", "upstream_failed"}
    until(lambda: {task["state"] for task in _tasks(airflow, run)} <= ended, 120)
    return _tasks(airflow, run)


def _tasks(airflow: Services, run: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = airflow.get(f"dags/in_parts/dagRuns/{run}/taskInstances")["task_instances"]
    return listed


def _xcoms(airflow: Services, run: str) -> list[str]:
    """Everything that tasks pushed."""
    path = f"dags/in_parts/dagRuns/{run}/taskInstances/~/xcomEntries"
    found = airflow.get(f"{path}?limit=100")["xcom_entries"]
    return [
        json.dumps(
            airflow.get(
                f"dags/in_parts/dagRuns/{run}/taskInstances/{each['task_id']}/xcomEntries/{each['key']}"
                f"?map_index={each['map_index']}&deserialize=false"
            )
        )
        for each in found
    ]
