"""An Airflow of the demo's own: it sees nothing of the reader's, and ends with the demo."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import ProxyHandler, build_opener

from airflow_provider_sela.demo.errors import DemoError
from airflow_provider_sela.demo.folder import DemoFolder, shown
from airflow_provider_sela.demo.interrupts import uninterrupted

#: All that Airflow is given of the reader's environment. The rest may belong to an Airflow of the reader's:
#: AIRFLOW... in each of its spellings, PYTHONPATH with its plugins, OPENLINEAGE..., a proxy.
_KEPT = (
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "PYTHONUSERBASE", "TMPDIR", "TZ",
    "USER",
)  # fmt: skip
#: The parts that the UI needs, in Airflow 2 and in 3, without their log servers, which any machine reaches.
_PARTS_OF_2 = (("webserver",), ("scheduler", "--skip-serve-logs"), ("triggerer", "--skip-serve-logs"))
_PARTS_OF_3 = (("api-server",), ("dag-processor",), *_PARTS_OF_2[1:])
_PORT = 8080
#: Seconds between two looks at the parts.
_LOOKS_EVERY = 0.5
#: Seconds for Airflow to end its parts, before they are killed.
_ENDS_WITHIN = 10.0


class LocalAirflow:
    """Airflow on SQLite, in the demo's folder.

    :param folder: where its home, its DAGs and its log are.
    :param connections: Airflow connections by id.
    """

    def __init__(self, folder: DemoFolder, connections: Mapping[str, Mapping[str, Any]]) -> None:
        self.version = version("apache-airflow")
        self._is_2 = self.version.startswith("2.")
        self._folder = folder
        # Of this version alone: an older Airflow does not read what a newer one wrote.
        self._home = folder.path / f"airflow-{self.version}"
        self._variables = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            # Airflow 2 starts a task by the name of the program, which lies beside this Python.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            # No module of the folder in which the reader happens to be.
            "PYTHONSAFEPATH": "1",
            "NO_COLOR": "1",
            "NO_PROXY": "*",
            "no_proxy": "*",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # SQLite turns a writer away while another writes, unless it may wait, and a worker waits less.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._home}/airflow.db?timeout=60",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            # Its client looks for settings in the reader's home, too.
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(conn) for name, conn in connections.items()},
        }

    def migrate(self) -> None:
        """Make Airflow's database, unless an earlier demo made it to its end."""
        made = self._home / "made"
        if not made.exists():
            shutil.rmtree(self._home, ignore_errors=True)
            self._home.mkdir()
            self.call("db", "migrate")
            made.touch()

    def call(self, *words: str) -> None:
        """Run one of Airflow's commands.

        :raises DemoError: it failed; with the line of its log that says why.
        """
        with self._running() as parts:
            if self._start(parts, words, self._variables).wait():
                raise self._failure(words)

    @contextmanager
    def ui(self) -> Iterator[str]:
        """All parts of Airflow for as long as the ``with`` block lasts; gives the UI's address.

        :raises DemoError: a part ended by itself before the UI answered.
        """
        port = _free_port(_PORT)
        url = f"http://127.0.0.1:{port}"
        # In Airflow 2, what the setting `all admins` is in 3: nobody but this machine reaches it.
        (self._home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
        variables = {**self._variables, **_ui_variables(port)}
        server, *others = _PARTS_OF_2 if self._is_2 else _PARTS_OF_3
        with self._running() as self._parts:
            self._start(self._parts, server, variables)
            # A task that starts before the server answers fails.
            self._wait_for(lambda: self._health(url) is not None)
            for part in others:
                self._start(self._parts, part, variables)
            self._wait_for(lambda: self._health(url) == "healthy")
            yield url

    def watch(self) -> NoReturn:
        """Wait while the UI runs.

        :raises DemoError: a part of Airflow ended by itself.
        """
        while True:
            self._look()

    def _wait_for(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._look()

    def _look(self) -> None:
        for part in self._parts:
            if part.poll() is not None:
                command: Any = part.args
                raise self._failure(command[3:])
        time.sleep(_LOOKS_EVERY)

    def _health(self, url: str) -> str | None:
        """What the server says of the scheduler; None while it does not answer."""
        path = "/health" if self._is_2 else "/api/v2/monitor/health"
        try:
            with build_opener(ProxyHandler({})).open(url + path, timeout=5) as answer:
                return str(json.load(answer)["scheduler"]["status"])
        except OSError:
            return None

    @contextmanager
    def _running(self) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Processes that end with the ``with`` block."""
        parts: list[subprocess.Popen[bytes]] = []
        try:
            yield parts
        finally:
            _end(parts)

    def _start(
        self, parts: list[subprocess.Popen[bytes]], words: Sequence[str], variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own: Ctrl-C reaches us, and we end the command."""
        # Between its start and the list, a process would be nobody's.
        with self._folder.log.open("ab") as log, uninterrupted():
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "airflow", *words],
                cwd=self._folder.path,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            parts.append(process)
        return process

    def _failure(self, words: Sequence[str]) -> DemoError:
        reason = self._folder.reason()
        return DemoError(f"airflow {' '.join(words)}: {reason}\nThe whole log: {shown(self._folder.log)}")


def _ui_variables(port: int) -> dict[str, str]:
    """Settings of Airflow 3, and of 2 where they differ; each ignores the other's."""
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
        "AIRFLOW__WEBSERVER__WORKERS": "1",
    }


def _free_port(wanted: int) -> int:
    """The port wanted if nobody listens there, else another."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as server:
            return int(server.getsockname()[1])
    except OSError:
        return _free_port(0)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask them to end; what is still there after a while, or at a second Ctrl-C, is killed."""
    deadline = time.monotonic() + _ENDS_WITHIN
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(max(0, deadline - time.monotonic()))
    with uninterrupted():
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
