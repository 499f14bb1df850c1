"""Where the ways run: an environment for each peer, and the databases that all of them load into."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support.servers import mariadb, postgres

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "requests": ["requests"],
    "pandas": ["requests", "pandas", "sqlalchemy", "psycopg2-binary", "duckdb"],
    "http": ["apache-airflow", "apache-airflow-providers-http", "apache-airflow-providers-postgres"],
    "dlt": ["dlt[duckdb,postgres]", "pyarrow"],
}
_PEERS_PROGRAM = str(Path(__file__).parent / "ways" / "peers.py")


class Environments:
    """Virtual environments of the peers, made by uv when they are first wanted.

    :param folder: where they are kept from run to run.
    :param own: use the Python that runs the benchmark for every peer whose packages it has; for tests.
    """

    def __init__(self, folder: Path, *, own: bool = False) -> None:
        self._folder, self._own = folder, own

    def python(self, peer: str) -> str:
        """The Python of a peer."""
        if self._own:
            return sys.executable
        python = self._folder / peer / "bin" / "python"
        if not python.exists():
            print(f"making an environment for {peer}", file=sys.stderr, flush=True)
            _uv("venv", "--quiet", "--python", sys.executable, str(self._folder / peer))
            _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *PEERS[peer])
        return str(python)

    def versions(self, peer: str) -> dict[str, str]:
        """What a peer consists of."""
        names = [name.partition("[")[0] for name in PEERS[peer]]
        program = "import json, sys; from importlib.metadata import version as of; "
        program += "print(json.dumps({name: of(name) for name in sys.argv[1:]}))"
        command = [self.python(peer), "-c", program, *names]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def run(self, way: str, order: Mapping[str, Any], folder: str) -> dict[str, Any]:
        """Run a way in a process of its own.

        :param way: function of :mod:`benchmarks.ways.ours` or :mod:`benchmarks.ways.peers`.
        :param folder: home of Airflow and of whatever else a way leaves behind.
        :raises RuntimeError: it failed; with the end of what it said.
        """
        peer = way.split("_")[1] if "_" in way else ""
        program = (
            [self.python(peer), _PEERS_PROGRAM]
            if peer in PEERS
            else [sys.executable, "-m", "benchmarks.ways.ours"]
        )
        environment = {
            **os.environ,
            # Installed packages have their byte code, and so do those of the peers.
            "PYTHONDONTWRITEBYTECODE": "",
            "AIRFLOW_HOME": folder,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "ERROR",
            "no_proxy": "*",
            "AIRFLOW_CONN_TARGET": airflow_connection(order),
        }
        done = subprocess.run(  # noqa: S603
            [*program, way, json.dumps(order)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{way} failed: {done.stderr[-3000:]}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result


@contextmanager
def database() -> Iterator[dict[str, Any]]:
    """A PostgreSQL server of one's own; gives the keyword arguments of a psycopg connection."""
    import psycopg

    with postgres() as port:
        target: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "sela", "dbname": "postgres"}
        with psycopg.connect(**target, autocommit=True) as connection:
            # It wakes once a minute, and what it writes would count for the load that it meets.
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("SELECT pg_reload_conf()")
        yield target


@contextmanager
def mariadb_database() -> Iterator[dict[str, Any]]:
    """A MariaDB server of one's own; gives what Airflow's connection needs."""
    import MySQLdb

    with mariadb() as port:
        with closing(MySQLdb.connect(host="127.0.0.1", port=port, user="root")) as connection:
            connection.cursor().execute("CREATE DATABASE benchmark")
        yield {"host": "127.0.0.1", "port": port, "login": "root", "schema": "benchmark"}


def airflow_connection(order: Mapping[str, Any]) -> str:
    """Airflow's connection to the database of an order, as JSON."""
    if "mysql" in order:
        return json.dumps({"conn_type": "mysql", **order["mysql"]})
    if "sqlite" in order:
        return json.dumps({"conn_type": "sqlite", "host": order["sqlite"]})
    if "postgres" not in order:
        return json.dumps({"conn_type": "duckdb", "host": order.get("duckdb")})
    target = order["postgres"]
    place = {"host": target["host"], "port": target["port"]}
    return json.dumps({"conn_type": "postgres", **place, "login": target["user"], "schema": target["dbname"]})


@contextmanager
def scratch() -> Iterator[str]:
    """A folder that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="sela-benchmark-", ignore_cleanup_errors=True) as folder:
        yield folder


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    names = ["apache-airflow", "duckdb", "msgspec", "psycopg", "requests"]
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "versions": {name: version(name) for name in names},
    }


def _uv(*arguments: str) -> None:
    subprocess.run(["uv", *arguments], check=True)  # noqa: S603, S607
