"""Workers that share no disk: CeleryExecutor, a real Redis, object storage, and a machine that is lost."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_provider_sela.testing import Request, Response
from tests.airflow.services import Services, until
from tests.snapshot.drifting import DriftingList, Habits
from tests.support import servers
from tests.support.databases import Postgres
from tests.support.drifting_api import DriftingApi
from tests.support.s3 import S3Store

pytest.importorskip("airflow.sdk", reason="the components have other names in Airflow 2")
pytestmark = [pytest.mark.airflow, pytest.mark.server]

WORKERS = ("one", "two")


class Gate(DriftingApi):
    """Lets the plan through, and two readers once both are there; those that come later wait.

    A task is known by its connection: with a concurrency of one, it keeps one.
    """

    def __init__(self, leads: DriftingList) -> None:
        super().__init__(leads)
        self.go_on = threading.Event()
        self._two_read = threading.Event()
        self._tasks: list[int] = []

    def respond(self, request: Request) -> Response:
        with self.lock:
            if request.client[1] not in self._tasks:
                self._tasks.append(request.client[1])
            place = self._tasks.index(request.client[1])
            if place == len(WORKERS):
                self._two_read.set()
        if place:
            assert (self._two_read if place <= len(WORKERS) else self.go_on).wait(120)
        return super().respond(request)


class Cluster(Services):
    """Airflow with two workers, each for one task at a time, and each with a disk of its own.

    :param folder: where the machines' disks lie.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        components = ("api-server", "scheduler", "dag-processor")
        super().__init__(folder / "scheduler", self._dags("scheduler"), variables, components)

    def start_all(self) -> None:
        super().start_all()
        for worker in WORKERS:
            dags, machine = self._dags(worker), self._folder / worker
            (machine / "tmp").mkdir()
            self.start(
                worker,
                *("celery", "worker", "--concurrency", "1", "--celery-hostname", worker, "--skip-serve-logs"),
                AIRFLOW_HOME=str(machine),
                AIRFLOW__CORE__DAGS_FOLDER=str(dags),
                AIRFLOW__CORE__HOSTNAME_CALLABLE="tests.airflow.services.machine_name",
                MACHINE_NAME=worker,
                TMPDIR=str(machine / "tmp"),
            )

    def lose(self, component: str) -> None:
        """End a worker, and take its disk."""
        super().lose(component)
        shutil.rmtree(self._folder / component)

    def _dags(self, machine: str) -> Path:
        """DAG files, as each machine has its own."""
        folder = self._folder / machine / "dags"
        folder.mkdir(parents=True)
        shutil.copy(Path(__file__).parent / "dags" / "parts_anywhere.py", folder)
        return folder


@pytest.fixture(scope="module")
def postgres_port() -> Iterator[int]:
    with servers.postgres() as port:
        yield port


@pytest.fixture
def environment(postgres_port: int) -> Iterator[dict[str, str]]:
    """What Airflow's processes are told to work as a cluster does."""
    servers.driver("airflow.providers.celery.executors.celery_executor", "psycopg2", "redis")
    where = f"sela@127.0.0.1:{postgres_port}"
    with psycopg.connect(f"postgresql://{where}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE airflow")
    with servers.redis() as redis_port:
        yield {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{where}/airflow",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{where}/airflow",
            # How soon a lost worker is missed; by default after five minutes.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        }


def test_a_worker_is_lost_with_its_disk_and_no_lead_is(
    environment: dict[str, str], postgres_port: int, tmp_path: Path
) -> None:
    drifting = DriftingList("-modified_time", leads=2000, habits=Habits(writes=1), seed=3)
    warehouse, storage = Postgres(postgres_port, "sales"), S3Store()
    with ExitStack() as stack:
        stack.callback(storage.stop)
        api = stack.enter_context(Gate(drifting))
        connections = {
            "AIRFLOW_CONN_SELA_DEFAULT": {**api.connection, "extra": {"concurrency": 1}},
            "AIRFLOW_CONN_STORAGE": storage.connection,
            "AIRFLOW_CONN_WAREHOUSE": warehouse.connection,
        }
        variables = environment | {name: json.dumps(value) for name, value in connections.items()}
        airflow = stack.enter_context(Cluster(tmp_path, variables))
        airflow.unpause("parts_anywhere")
        run = airflow.trigger("parts_anywhere")
        until(lambda: _states(airflow, run) == ["running", "running", "success", "success"], 180)
        lost, waiting = WORKERS[0], _readers(airflow, run, "running")
        airflow.lose(lost)
        api.go_on.set()
        ended = {"success", "failed", "upstream_failed"}
        until(lambda: {task["state"] for task in _tasks(airflow, run)} <= ended, 180)
        tasks, readers, left = _tasks(airflow, run), _readers(airflow, run, "success"), storage.keys()
    assert {task["state"] for task in tasks} == {"success"}
    # Each had read a part whole and was reading a second one; the part of the lost disk is in the storage.
    first, second = ({task["map_index"]: task["hostname"] for task in seen} for seen in (waiting, readers))
    assert sorted(first.values()) == sorted(WORKERS)
    assert sorted(second.values()) == ["one", "two", "two", "two"]
    assert [task["map_index"] for task in readers if task["try_number"] == 2] == [
        index for index, worker in first.items() if worker == lost
    ]
    assert {task["hostname"] for task in tasks if task["task_id"] == "land"} == {"two"}
    (books,) = warehouse.table("_sela_loads", "run_id")
    assert books["verdict"] == "PROVEN(-modified_time)"
    assert drifting.stable <= {row["id"] for row in warehouse.table()}
    assert left == []


def _tasks(airflow: Services, run: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = airflow.get(f"dags/parts_anywhere/dagRuns/{run}/taskInstances")[
        "task_instances"
    ]
    return listed


def _readers(airflow: Services, run: str, state: str) -> list[dict[str, Any]]:
    return [task for task in _tasks(airflow, run) if (task["task_id"], task["state"]) == ("read", state)]


def _states(airflow: Services, run: str) -> list[str]:
    return sorted(task["state"] or "" for task in _tasks(airflow, run) if task["task_id"] == "read")
