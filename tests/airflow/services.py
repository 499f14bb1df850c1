"""A real Airflow on SQLite, on loopback: API server, scheduler, DAG processor and triggerer as processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.support.ports import free_port

AIRFLOW = Path(sys.executable).with_name("airflow")
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class Services:
    """All of Airflow, for as long as the ``with`` block lasts.

    :param home: an empty folder.
    :param dags: folder of DAG files.
    :param variables: more environment, such as connections.
    :param components: what is started.
    """

    def __init__(
        self, home: Path, dags: Path, variables: Mapping[str, str], components: Sequence[str] = COMPONENTS
    ) -> None:
        self._home = home
        self._components = components
        self._port = free_port()
        self.url = f"http://localhost:{self._port}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        # SQLite turns a writer away while another writes; on a busy machine the API then answers 500.
        again = Retry(
            total=6,
            connect=0,
            backoff_factor=0.5,
            status_forcelist=(500, 503),
            allowed_methods=("GET", "PATCH"),
        )
        self._session.mount("http://", HTTPAdapter(max_retries=again))
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
            # A worker waits 5 s for an answer, six times, and then its task has failed.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-" * 4,
            # A watcher begins when a file is read again after its DAG was un-paused.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "no_proxy": "*",
            **variables,
        }

    def __enter__(self) -> Self:
        subprocess.run(
            [AIRFLOW, "db", "migrate"], env=self._environment, check=True, capture_output=True, timeout=120
        )
        try:
            self.start_all()
            until(self._healthy, 120)
            token = self._session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.close()
        for process in self._processes.values():
            process.terminate()
        for component in list(self._processes):
            self.stop(component)

    def start_all(self) -> None:
        """Start what runs from the beginning."""
        for component in self._components:
            self.start(component)

    def start(self, component: str, *words: str, **variables: str) -> None:
        """Start a component in a process group of its own.

        :param component: its name here, and the command that starts it unless there are ``words``.
        :param variables: more environment.
        """
        with (self._home / f"{component}.log").open("ab") as log:
            self._processes[component] = subprocess.Popen(
                [AIRFLOW, *(words or [component])],
                env={**self._environment, **variables},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def stop(self, component: str) -> None:
        """Stop a component as an operator does, and what it left behind."""
        process = self._processes.pop(component)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def lose(self, component: str) -> None:
        """End a component and all that it started at once, as the loss of a machine does."""
        process = self._processes.pop(component)
        machine = psutil.Process(process.pid)
        for each in (machine, *machine.children(recursive=True)):
            each.kill()
        process.wait(10)

    def get(self, path: str) -> Any:
        """An answer of Airflow's REST API."""
        answer = self._session.get(f"{self.url}/api/v2/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, as soon as Airflow has read its file."""
        url = f"{self.url}/api/v2/dags/{dag_id}"
        until(lambda: self._session.patch(url, json={"is_paused": False}, timeout=30).status_code == 200, 60)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run; returns its id."""
        answer = self._session.post(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns",
            json={"logical_date": None, "conf": conf},
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Task instances of a run by task id."""
        listed = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in listed}

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task pushed."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        value = self.get(f"{path}?deserialize=false")["value"]
        return json.loads(value) if isinstance(value, str) else value

    def logs(self) -> str:
        """Everything that was logged anywhere."""
        return "\n".join(path.read_text(errors="replace") for path in self._home.rglob("*.log"))

    def _healthy(self) -> bool:
        for component, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"airflow {component} ended: {self.logs()[-3000:]}")
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        # The API server is healthy if it answers; it calls the others by other names.
        parts = (each.replace("-", "_") for each in self._components if each != "api-server")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)


def machine_name() -> str:
    """What a worker is told that its machine is called, as Airflow's ``hostname_callable``."""
    return os.environ["MACHINE_NAME"]


def until(holds: Callable[[], object], seconds: float) -> None:
    """Wait until something holds.

    :raises TimeoutError: it does not, for so long.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.5)
