"""Real database servers of a test session: private data folder, free port on loopback, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn, Self

import pytest
from cryptography.x509 import IPAddress, SubjectAlternativeName

from tests.support.ports import free_port
from tests.support.tls import Authority

START_WITHIN = 60.0


def binary(name: str, package: str) -> str:
    """Path of a server program; without it the test is skipped, but never in CI."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or next(
        map(str, versions), None
    )
    if found is None:
        lacking(f"{name} is not installed: apt-get install {package}")
    return found


def driver(*modules: str) -> None:
    """Python modules of a database driver; without them the test is skipped, but never in CI."""
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            lacking(f"{module} is not installed: uv sync --group servers")


def odbc_driver(name: str, package: str) -> None:
    """An ODBC driver; without it the test is skipped, but never in CI."""
    driver("pyodbc", "airflow.providers.odbc")
    if name not in import_module("pyodbc").drivers():
        lacking(f"the ODBC driver {name} is not installed: apt-get install {package}")


def lacking(message: str) -> NoReturn:
    """Skip the test, which needs what is not there; in CI, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def account(name: str) -> str | None:
    """The account that a server runs under; servers refuse to run as root."""
    if os.getuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(name).pw_name
    return "nobody"


class PostgresServer:
    """PostgreSQL with user ``sela``, for as long as the ``with`` block lasts.

    :ivar port: where it listens, after a restart too.
    :ivar account: the account of the operating system that it runs under; None for the current one.
    """

    def __init__(self) -> None:
        self.account = account("postgres")
        self.port = free_port()
        self._stack = ExitStack()
        self._serving = ExitStack()

    def __enter__(self) -> Self:
        initdb = binary("initdb", "postgresql")
        self._folder = self._stack.enter_context(_folder("pg", self.account))
        options = ["-U", "sela", "-A", "trust", "-E", "UTF8", "--locale=C"]
        _run([initdb, "-D", f"{self._folder}/data", *options], self.account)
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._stack.close()

    def start(self) -> None:
        """Serve, with the data that there is."""
        server = binary("postgres", "postgresql")
        command = [server, "-D", f"{self._folder}/data", "-k", str(self._folder), "-p", str(self.port)]
        arguments = [*command, "-h", "127.0.0.1", "-F"]
        self._serving.enter_context(serving(arguments, self.account, lambda: _postgres_answers(self.port)))

    def stop(self) -> None:
        """End at once, as in a crash of the server: no client is waited for."""
        self._serving.close()


@contextmanager
def postgres() -> Iterator[int]:
    """PostgreSQL with user ``sela`` and database ``sela``; gives the port."""
    with PostgresServer() as server:
        yield server.port


@contextmanager
def mariadb(*options: str) -> Iterator[int]:
    """MariaDB with user ``root`` without a password, started with some options; gives the port."""
    driver("MySQLdb", "airflow.providers.mysql")
    install, server = binary("mariadb-install-db", "mariadb-server"), binary("mariadbd", "mariadb-server")
    user, port = account("mysql"), free_port()
    with _folder("my", user) as folder:
        # Two servers that begin at once take each other's temporary files where they share a folder.
        apart, data = ["env", f"TMPDIR={folder}"], f"--datadir={folder}/data"
        plain = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        _run([*apart, install, "--no-defaults", data, *plain], user)
        command = [*apart, server, "--no-defaults", data, f"--socket={folder}/s", f"--port={port}"]
        loopback = ["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
        # As Debian's configuration has it, and MySQL 8 and MariaDB 11.6 without one.
        text = "--character-set-server=utf8mb4"
        with serving([*command, *loopback, text, *options], user, lambda: _mariadb_answers(port)):
            yield port


@contextmanager
def redis() -> Iterator[int]:
    """Redis in memory, without a password; gives the port."""
    server, port, user = binary("redis-server", "redis-server"), free_port(), account("redis")
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with (
        _folder("redis", user) as folder,
        serving([*command, "--dir", str(folder)], user, lambda: listens(port)),
    ):
        yield port


@contextmanager
def h2() -> Iterator[int]:
    """H2, which makes the databases that are asked for; gives the port."""
    port = free_port()
    with _java("h2.jar", "libh2-java", "org.h2.tools.Server", port, "-tcp -tcpPort {port} -ifNotExists"):
        yield port


@contextmanager
def hsqldb() -> Iterator[int]:
    """HSQLDB, which makes the databases that are asked for; gives the port."""
    port = free_port()
    # Each test has a database of its own.
    options = "--port {port} --address 127.0.0.1 --remote_open true --maxdatabases 1000 --silent true"
    with _java("hsqldb.jar", "libhsqldb-java", "org.hsqldb.server.Server", port, options):
        yield port


@contextmanager
def _java(jar: str, package: str, program: str, port: int, options: str) -> Iterator[None]:
    driver("jaydebeapi", "airflow.providers.jdbc")
    java, path = binary("java", "openjdk-17-jre-headless"), Path("/usr/share/java", jar)
    if not path.exists():
        lacking(f"{jar} is not installed: apt-get install {package}")
    # A small heap and one collector thread: the tests share the machine.
    command = [java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", str(path), program]
    with _folder("java", None) as folder:
        arguments = [f"-Duser.home={folder}", f"-Djava.io.tmpdir={folder}"]
        command[1:1] = arguments
        with serving([*command, *options.format(port=port).split()], None, lambda: listens(port)):
            yield


@contextmanager
def snowflake() -> Iterator[tuple[int, Path]]:
    """An emulation of Snowflake over HTTPS; gives the port and the file with its authority's certificate."""
    driver("fakesnow", "airflow.providers.snowflake")
    port = free_port()
    with _folder("snowflake", None) as folder:
        authority = Authority(folder)
        name = SubjectAlternativeName([IPAddress(ip_address("127.0.0.1"))])
        script = Path(__file__).with_name("snowflake_server.py")
        arguments = map(str, (script, port, *authority.issue("server", name)))
        command = ["env", f"TMPDIR={folder}", sys.executable, *arguments]
        with serving(command, None, lambda: listens(port)):
            yield port, authority.bundle


@contextmanager
def _folder(prefix: str, user: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"sela-{prefix}-", ignore_cleanup_errors=True) as name:
        if user is not None:
            shutil.chown(name, user)
        yield Path(name)


def _run(command: Sequence[str], user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, cwd="/", timeout=START_WITHIN)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving(command: Sequence[str], user: str | None, answers: Callable[[], bool]) -> Iterator[None]:
    """A server program, from when it answers to the end of the ``with`` block."""
    server = subprocess.Popen(
        command, user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_WITHIN
        while not answers():
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not answer"
            time.sleep(0.05)
        yield
    finally:
        # Nobody needs the data any more: PostgreSQL's "immediate" shutdown, which MariaDB takes for a crash.
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _postgres_answers(port: int) -> bool:
    import psycopg

    with suppress(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=port, user="sela", dbname="postgres").close()
        return True
    return False


def _mariadb_answers(port: int) -> bool:
    import MySQLdb

    with suppress(MySQLdb.OperationalError):
        MySQLdb.connect(host="127.0.0.1", port=port, user="root").close()
        return True
    return False
