"""Killed at any moment, a load leaves the target as it was, and a retry heals; on every engine."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import lead, load_leads, moment
from tests.warehouse.dying import start_load

LEADS = sample_leads(300)
CHANGED = [{**item, "status": "LOST"} for item in LEADS[50:]] + [lead(99_999)]


@pytest.fixture(autouse=True)
def _one_of_javas_is_enough(database: Database) -> None:
    if database.name == "hsqldb":
        pytest.skip("H2 stands for it: each process starts a JVM")


def environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("AIRFLOW", "REQUESTS_", "SNOWFLAKE_"))
    }


def state(database: Database) -> tuple[list[Any], ...]:
    names = ("leads", "_sela_loads", "_sela_rejects")
    orders = ("id, _sela_synced_at", "run_id, started", "_sela_hash")
    return tuple(database.table(name, order) for name, order in zip(names, orders, strict=True))


def run(database: Database, leads: list[Any], die_before: int | None, **options: Any) -> int | None:
    process = start_load(environment(), leads, die_before, **options)
    process.join(60)
    code: int | None = process.exitcode
    process.close()
    database.bury()
    return code


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.HISTORY])
def test_killed_before_any_statement_the_target_is_as_it_was(database: Database, mode: Mode) -> None:
    load_leads(LEADS, mode=mode, run_id="before", started=moment(1), rejects=[1])
    before = state(database)
    options: dict[str, Any] = {"mode": mode, "run_id": "killed", "started": moment(2), "rejects": [1, 2]}
    killed = 0
    while (code := run(database, CHANGED, killed, **options)) == -signal.SIGKILL:
        assert state(database) == before
        killed += database.dies_every
    assert code == 0
    assert killed > 4
    assert state(database) != before
    assert load_leads(CHANGED, **{**options, "started": moment(3)})["unchanged"] == len(CHANGED)


def test_killed_while_the_first_table_is_made_leaves_none(database: Database) -> None:
    for die_before in range(1, 9, 4 if database.slow else 1):
        assert run(database, LEADS, die_before, started=moment(1)) in (-signal.SIGKILL, 0)
        if database.transactional_ddl:
            assert database.tables() in (set(), {"leads", "_sela_loads", "_sela_rejects"})
    load_leads(LEADS)
    assert len(database.table()) == 300


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_time_the_target_is_before_or_after(database: Database, seed: int) -> None:
    if database.slow:
        pytest.skip("its load begins with a login that takes longer than that")
    load_leads(LEADS, run_id="before", started=moment(1))
    before = state(database)
    process = start_load(environment(), CHANGED, None, run_id="killed", started=moment(2))
    time.sleep(random.Random(seed).uniform(0.02, 0.35))  # noqa: S311 (repeatable)
    process.kill()
    process.join(60)
    database.bury()
    after = state(database)
    if after != before:
        assert {row["status"] for row in after[0][50:]} == {"LOST"} | {lead(99_999)["status"]}
        assert len(after[1]) == 2
    load_leads(CHANGED, run_id="retry", started=moment(3))
    assert len(database.table()) == 301


def test_readers_see_before_or_after_and_nothing_between(database: Database) -> None:
    load_leads(LEADS, started=moment(1))
    seen: set[tuple[int, ...]] = set()
    ready, done = threading.Event(), threading.Event()

    def read() -> None:
        statuses = "SUM(CASE WHEN status = 'LOST' AND id >= 28050 THEN 1 ELSE 0 END)"
        with closing(database.connect()) as connection:
            last = False
            while not last:
                last = done.is_set()
                cursor = connection.cursor()
                cursor.execute(f"SELECT COUNT(*), {statuses} FROM leads")
                seen.add(tuple(map(int, cursor.fetchall()[0])))
                if database.name != "duckdb":
                    connection.commit()
                ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(30)
        load_leads(CHANGED, started=moment(2))
    finally:
        done.set()
        reader.join(30)
    lost = sum(item["status"] == "LOST" for item in LEADS[50:])
    assert seen == {(300, lost), (301, 250 + (lead(99_999)["status"] == "LOST"))}


def test_two_loads_at_once_end_right(database: Database) -> None:
    mine = [{**item, "status": "MINE"} for item in LEADS]
    theirs = [{**item, "status": "THEIRS"} for item in LEADS]
    load_leads(LEADS[:1], started=moment(1))
    loads: list[tuple[list[Any], dict[str, Any]]] = [
        (mine, {"run_id": "mine", "started": moment(3)}),
        (theirs, {"run_id": "theirs", "started": moment(2)}),
    ]
    processes = [start_load(environment(), leads, None, **options) for leads, options in loads]
    for process, (leads, options) in zip(processes, loads, strict=True):
        process.join(60)
        if process.exitcode != 0:
            assert not database.queued, "where the database has no lock of ours, the slower load fails"
            load_leads(leads, **options)
    rows = database.table()
    assert len(rows) == 300
    assert {row["status"] for row in rows} == {"MINE"}
    assert len(database.table("_sela_loads", "run_id")) == 3
