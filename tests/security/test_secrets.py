"""After everything that can happen has happened, no secret is anywhere but where it belongs.

A real Airflow runs loads, files and waits, some well and some into faults, with the loggers of all libraries
wide open. Then every row of every table of its metadata database, every file below its home, its temporary
folder and all that it printed are searched for the token and for what leads say.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi, sample_lead
from tests.conftest import REPOSITORY
from tests.security.belongings import files
from tests.support.faults import Act, FaultServer, Received, Wire, http, page_body, reply

pytestmark = pytest.mark.airflow

SCRIPT = Path(__file__).parent / "dags" / "leaking" / "leaking.py"
TOKEN = "pl4nted-t0k3n-9f3a"
SALT = "pl4nted-s4lt-of-16-characters"
#: One for each way of a value through the package: text, malformed, metadata, undocumented, without an id.
LEAD: dict[str, Any] = {
    **sample_lead(7),
    "external_id": "author",
    "email": "planted.email@example.com",
    "phone_number": "+18045550133",
    "next_call_time": "planted-malformed-time",
    "sms_dnc": "planted-malformed-flag",
    "metadata": {"first_name": "Plantagenet"},
    "score": "planted-undocumented",
}
PLANTED = (
    "planted.email", "8045550133", "planted-malformed", "Plantagenet", "planted-undocumented",
    "planted-reject",
)  # fmt: skip
EXPECTED = {
    "table": "success",
    "history": "success",
    "hashed": "success",
    "row_refused": "failed",
    "file": "success",
    "file_refused": "failed",
    **dict.fromkeys(("echo_401", "echo_500", "half_a_page", "redirect"), "failed"),
    **{f"wait_{name}": "failed" for name in ("echo_401", "echo_500", "half_a_page", "redirect")},
}


class WithReject(SelaApi):
    """A list with a result that has no id."""

    def select(self, filters: dict[str, str]) -> Any:
        return [*super().select(filters), {"email": "planted-reject"}]


def echo(status: int) -> Act:
    """A server that repeats the request and a lead, as debug pages do."""

    def act(wire: Wire, request: Received) -> bool:
        text = f"{request.target} {request.headers['authorization']} {json.dumps(LEAD)}"
        wire.send(http(status, json.dumps({"detail": text}).encode()))
        return True

    return act


FAULTS = {
    "echo_401": echo(401),
    "echo_500": echo(500),
    "half_a_page": reply(200, page_body([LEAD])[:-5]),
    "redirect": reply(302, b"", Location=f"https://sso.example.com/?token={TOKEN}&email=planted.email"),
}


class Run:
    """One DAG run and all that it left.

    :ivar states: state of each task.
    :ivar output: what the process printed.
    :ivar rows: every row of the metadata database, by table.
    :ivar files: content of every file that Airflow keeps, by name.
    :ivar target: where the tasks wrote.
    :ivar temporary: files left in the temporary folder.
    """

    def __init__(self, dag: str, home: Path, level: str) -> None:
        self.target = home / "target"
        airflow, temporary = home / "airflow", home / "tmp"
        for folder in (self.target, airflow, temporary):
            folder.mkdir()
        with sqlite3.connect(self.target / "leads.db") as database:
            database.execute("CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT UNIQUE)")
        with contextlib.ExitStack() as stack:
            api = stack.enter_context(WithReject(leads=[LEAD, {**LEAD, "id": 8}], token=TOKEN))
            connections = {"sela_default": api.connection, "salt": {"conn_type": "generic", "password": SALT}}
            for name, act in FAULTS.items():
                server = stack.enter_context(FaultServer(act))
                connections[name] = {**server.connection(max_attempts=1), "password": TOKEN}
            for name, file in (("duckdb", "leads.duckdb"), ("duckdb_2", "hashed.duckdb")):
                connections[name] = {"conn_type": "duckdb", "host": f"{self.target}/{file}"}
            for name, file in (("sqlite", "history.db"), ("unique", "leads.db")):
                connections[name] = {"conn_type": "sqlite", "host": f"{self.target}/{file}"}
            done = subprocess.run(
                [sys.executable, SCRIPT, dag],
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
                    **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()},
                    "AIRFLOW_HOME": str(airflow),
                    "AIRFLOW__CORE__DAGS_FOLDER": str(SCRIPT.parent),
                    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                    "AIRFLOW__LOGGING__LOGGING_LEVEL": level,
                    "PYTHONASYNCIODEBUG": "1",
                    "PYTHONPATH": str(REPOSITORY),
                    "SELA_TEST_FOLDER": str(self.target),
                    "TMPDIR": str(temporary),
                    "no_proxy": "*",
                },
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        # At DEBUG, dag.test() itself prints each message of a task, also the one that says what to mask.
        written = (done.stdout + done.stderr).splitlines()
        self.output = "\n".join(line for line in written if "msg=MaskSecret(" not in line)
        lines = [line for line in done.stdout.splitlines() if line.startswith("STATES ")]
        assert lines, self.output[-3000:]
        self.states: dict[str, str] = json.loads(lines[-1].removeprefix("STATES "))
        with sqlite3.connect(airflow / "airflow.db") as database:
            names = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            self.rows = {name: list(database.execute(f'SELECT * FROM "{name}"')) for name in names}
        self.files = {name: (airflow / name).read_bytes() for name in files(airflow)}
        self.temporary = files(temporary)

    def holders(self, secret: str) -> set[str]:
        """Where a text is found: tables, files, or the output."""
        found = {f"table {name}" for name, rows in self.rows.items() if secret in repr(rows)}
        # The database file is read row by row: it also holds what was deleted and not yet overwritten.
        found |= {f"file {name}" for name, content in self.files.items() if secret.encode() in content}
        return found | ({"output"} if secret in self.output else set())


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run("quiet", tmp_path_factory.mktemp("quiet"), "DEBUG")


def test_what_should_have_happened_has_happened(quiet: Run) -> None:
    import duckdb

    assert quiet.states == EXPECTED
    with duckdb.connect(str(quiet.target / "leads.duckdb"), read_only=True) as database:
        landed = str(
            database.sql("SELECT * FROM leads").fetchall() + database.sql("FROM _sela_rejects").fetchall()
        )
    assert [value for value in PLANTED if value not in landed] == []
    assert "DEBUG" in quiet.output.upper()
    assert "/api/leads/?…" in quiet.output


def test_what_was_searched_would_have_shown_it(quiet: Run) -> None:
    """The author's own filter is found where Airflow keeps what the author wrote."""
    assert "table rendered_task_instance_fields" in quiet.holders("author")
    assert "table xcom" in quiet.holders("PROVEN") | quiet.holders("ATOMIC")


@pytest.mark.parametrize("secret", [TOKEN, SALT, *PLANTED])
def test_no_secret_is_in_the_metadata_database_nor_in_a_file_nor_in_a_log(quiet: Run, secret: str) -> None:
    assert quiet.holders(secret) == set()


def test_nothing_is_left_in_the_temporary_folder(quiet: Run) -> None:
    assert quiet.temporary == []


def test_leads_that_are_returned_are_in_the_xcom_and_nowhere_else(tmp_path: Path) -> None:
    """At INFO: at DEBUG Airflow itself logs what a task returns."""
    run = Run("returning", tmp_path, "INFO")
    assert run.states == {"wait": "success", "to_xcom": "success"}
    for secret in PLANTED[:-1]:
        assert run.holders(secret) - {"file airflow.db"} == {"table xcom"}
    assert run.holders(TOKEN) == set()
    assert run.temporary == []
