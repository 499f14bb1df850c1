"""``sela-demo`` in the shell of somebody who runs Airflow: nothing of theirs is read, called or changed."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.airflow.demos import demo
from tests.support.servers import postgres

pytestmark = pytest.mark.airflow

#: Modules that Airflow would import, each of which leaves a trace.
TRACE = "import pathlib; pathlib.Path({trace!r}).open('a').write(__name__ + chr(10))\n"
PLANTED_CONFIG = """\
[core]
dags_folder = {home}/dags
plugins_folder = {home}/plugins
[database]
sql_alchemy_conn = sqlite:///{home}/theirs.db
"""


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port that answers nothing, and what anybody has sent to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.settimeout(1)
                with client:
                    heard.append(client.recv(1000))

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def plant(folder: Path, trace: Path, port: int) -> None:
    """A home of the reader's, with an Airflow of theirs in it, and modules that are found from the folder."""
    home = folder / "airflow"
    for name in ("dags", "plugins", "config"):
        (home / name).mkdir(parents=True)
    (home / "airflow.cfg").write_text(PLANTED_CONFIG.format(home=home))
    module = TRACE.format(trace=str(trace))
    for name in ("dags/theirs", "plugins/their_plugin", "config/airflow_local_settings"):
        (home / f"{name}.py").write_text(module)
    (folder / "lib").mkdir()
    for name in (
        "airflow_local_settings",
        "lib/airflow_local_settings",
        "lib/their_backend",
        "airflow",
        "duckdb",
    ):
        (folder / f"{name}.py").write_text(module)
    lineage = f"transport:\n  type: http\n  url: http://127.0.0.1:{port}\n"
    (folder / "openlineage.yml").write_text(lineage)
    (folder / ".openlineage").mkdir()
    (folder / ".openlineage" / "openlineage.yml").write_text(lineage)
    with closing(sqlite3.connect(home / "theirs.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")


def variables(folder: Path, trace: Path, port: int) -> dict[str, str]:
    """What such a shell may hold, in each of Airflow's spellings."""
    home = folder / "airflow"
    theirs = f"sqlite:///{home}/theirs.db"
    command = f"sh -c 'echo command >> {trace}; echo {theirs}'"
    there = f"http://127.0.0.1:{port}"
    return {
        "HOME": str(folder),
        "PYTHONPATH": str(folder / "lib"),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": theirs,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": command,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET": "theirs",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://a:b@127.0.0.1:{port}/airflow",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": theirs,
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD": command,
        "AIRFLOW__CORE__FERNET_KEY_CMD": command,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "their_backend.Executor",
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "their_backend.LOGGING",
        "AIRFLOW__SECRETS__BACKEND": "their_backend.Backend",
        "AIRFLOW__WORKERS__SECRETS_BACKEND": "their_backend.Backend",
        "AIRFLOW_CONN_SELA_DEFAULT": f"sela://:their-token@127.0.0.1:{port}",
        "AIRFLOW_CONN_DUCKDB_DEFAULT": f"duckdb:///{folder}/theirs.duckdb",
        "OPENLINEAGE_URL": there,
        "OPENLINEAGE_CONFIG": str(folder / "openlineage.yml"),
        "HTTP_PROXY": there,
        "http_proxy": there,
        "ALL_PROXY": there,
        "NO_PROXY": "",
        "no_proxy": "",
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_of_the_readers_airflow_is_read_called_or_changed(tmp_path: Path) -> None:
    folder, trace, place = tmp_path / "reader", tmp_path / "trace", tmp_path / "demo"
    with listening() as (port, heard):
        plant(folder, trace, port)
        before = contents(folder)
        done = demo(place, cwd=folder, variables=variables(folder, trace, port))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(", PROVEN(id): none is missing.")
    assert contents(folder) == before
    assert not trace.exists(), trace.read_text()
    assert heard == []


@pytest.mark.server
def test_a_postgresql_of_the_readers_gets_no_table(tmp_path: Path) -> None:
    psycopg = pytest.importorskip("psycopg")
    with postgres() as port:
        theirs = f"postgresql+psycopg2://sela@127.0.0.1:{port}/postgres"
        done = demo(cwd=tmp_path, variables={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": theirs})
        with psycopg.connect(host="127.0.0.1", port=port, user="sela", dbname="postgres") as connection:
            count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            assert connection.execute(count).fetchone() == (0,)
    assert done.returncode == 0, done.stderr
