"""The demo, step by step, and what it tells of the table in the end."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from contextlib import ExitStack, suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from airflow_provider_sela.demo.folder import DemoFolder, shown
from airflow_provider_sela.demo.local_airflow import LocalAirflow
from airflow_provider_sela.demo.terminal import Terminal
from airflow_provider_sela.testing import SelaApi

DAG_ID = "sela_leads_to_duckdb"
LEADS = 1000
_COLUMNS = ("id", "status", "us_state", "lead_source", "modified_time")


def run_demo(path: Path, *, ui: bool) -> None:
    """Land leads of a sample API in a DuckDB file, and show them.

    :param path: folder of the demo.
    :param ui: whether Airflow's UI runs on afterwards, until somebody stops the demo.
    :raises DemoError: a step failed.
    """
    terminal, folder = Terminal(), DemoFolder(path)
    terminal.say(f"sela-demo lands {LEADS:,} made-up leads in a DuckDB table, with a real Airflow.")
    with ExitStack() as stack:
        stack.enter_context(folder.claimed())
        folder.check_database()
        folder.copy_dag(DAG_ID)
        with terminal.step("a sample Sela API serves the leads"):
            api = stack.enter_context(SelaApi(leads=LEADS))
        folder.welcome(api.url)
        duckdb = {"conn_type": "duckdb", "host": str(folder.database)}
        airflow = LocalAirflow(folder, {"sela_default": api.connection, "duckdb_default": duckdb})
        with terminal.step(f"Airflow {airflow.version} has a database of its own"):
            airflow.migrate()
        with terminal.step(f"Airflow has run the DAG {DAG_ID}"):
            airflow.call("dags", "test", DAG_ID)
        _show_outcome(terminal, folder, ui=ui)
        if ui:
            _serve_ui(terminal, airflow)


def _serve_ui(terminal: Terminal, airflow: LocalAirflow) -> None:
    """Let Airflow run until somebody stops the demo."""
    with ExitStack() as running:
        with terminal.step("Airflow's UI answers"):
            url = running.enter_context(airflow.ui())
        terminal.say(f"Airflow's UI is at {url}, for this machine only, until Ctrl-C.")
        with suppress(KeyboardInterrupt):
            airflow.watch()
        with terminal.step("Airflow has ended"):
            running.close()


def _show_outcome(terminal: Terminal, folder: DemoFolder, *, ui: bool) -> None:
    load, leads = _read(folder.database)
    terminal.say()
    for row in [_COLUMNS, *leads]:
        terminal.say("  {:<6} {:<19} {:<9} {:<18} {}".format(*row))
    counts = "{read:,} read, {new:,} new, {changed:,} changed, {nulled} nulled".format(**load)
    terminal.say(f"{counts} (malformed; raw in column extra).")
    terminal.say(
        f"Verdict {load['verdict']}: all {load['requests']} answers kept to one order, without a gap."
    )
    terminal.say("Next:")
    show = f'import duckdb; duckdb.connect({json.dumps(shown(folder.database))}).table("leads").show()'
    terminal.say(f"  see the table: {_command('python')} -c {shlex.quote(show)}")
    add = "airflow connections add sela_default --conn-type sela --conn-password TOKEN"
    terminal.say(f"  connect your own account: {add}")
    if not ui:
        again = "" if folder.path == Path("sela_demo").absolute() else f" {shlex.quote(str(folder))}"
        terminal.say(f"  see it in Airflow's UI: {_command('sela-demo')} --ui{again}")
    landed = f"{load['read']:,} leads landed in {shown(folder.database)}"
    terminal.say(f"{landed}, {load['verdict']}: none is missing.")


def _read(database: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The last load, and the first leads."""
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        loads = connection.sql("SELECT * FROM _sela_loads ORDER BY finished DESC LIMIT 1")
        load = dict(zip(loads.columns, loads.fetchall()[0], strict=True))
        columns = ", ".join(_COLUMNS)
        found = connection.sql(f"SELECT {columns} FROM leads ORDER BY id LIMIT 3")  # noqa: S608 (constant)
        leads = [(*row[:-1], f"{row[-1].astimezone(UTC):%Y-%m-%d %H:%M:%S}") for row in found.fetchall()]
    return load, leads


def _command(name: str) -> str:
    """A command beside this Python, as its reader can type it."""
    if "UV" in os.environ:
        # Without this, uv would make another environment of it than the one that runs.
        return f"uv run --no-sync {name}"
    beside = Path(sys.executable).with_name(name)
    on_path = shutil.which(name)
    return name if on_path and Path(on_path).absolute() == beside else shlex.quote(shown(beside))
