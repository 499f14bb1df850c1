"""An empty table is filled itself, with all that holds for a load by way of a staging table."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaRequestError, SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database, Postgres
from tests.support.loads import expected, landed, lead, load_leads, moment
from tests.support.odd_values import LEADS

that_fill = pytest.mark.parametrize(
    "database", ["duckdb", "sqlite", pytest.param("postgres", marks=pytest.mark.server)], indirect=True
)
on_postgres = pytest.mark.parametrize(
    "database", [pytest.param("postgres", marks=pytest.mark.server)], indirect=True
)


def watched(staged: list[str]) -> Any:
    """An engine that says which tables it sends rows to by way of a staging table."""
    engine: Any = engine_for("warehouse", "leads")
    fill = engine.fill

    def fill_watched(lines: Any) -> None:
        staged.append(engine.written)
        fill(lines)

    engine.fill = fill_watched
    return engine


@that_fill
@pytest.mark.parametrize("mode", list(Mode))
def test_an_empty_table_holds_what_a_staged_one_would(database: Database, mode: Mode) -> None:
    staged: list[str] = []
    run = 'a "run"\\ of, many\nkinds'
    result = load_leads(LEADS, mode=mode, run_id=run, started=moment(1), engine=watched(staged))
    assert staged == []
    assert (result["new"], result["unchanged"]) == (len(LEADS), 0)
    filled = database.table()
    assert [landed(row) for row in filled] == [expected(item) for item in LEADS]
    assert {row["_sela_run_id"] for row in filled} == {run}
    assert {row["_sela_synced_at"] for row in filled} == {moment(1)}
    # With a lead in scope, all others are staged.
    database.run(f"DELETE FROM leads WHERE id <> {LEADS[0]['id']}")
    load_leads(LEADS, mode=mode, run_id=run, started=moment(1), engine=watched(staged))
    assert staged == ["leads"]
    assert database.table() == filled


@that_fill
def test_each_load_that_appends_fills_the_table(database: Database) -> None:
    staged: list[str] = []
    for run in ("monday", "tuesday"):
        load_leads([lead(1), lead(2)], mode=Mode.APPEND, run_id=run, engine=watched(staged))
    assert staged == []
    load_leads([lead(1), lead(2)], mode=Mode.APPEND, run_id="tuesday", engine=watched(staged))
    assert staged == ["leads"]
    assert [row["_sela_run_id"] for row in database.table(order="_sela_run_id")] == [
        "monday", "monday", "tuesday", "tuesday",
    ]  # fmt: skip


@that_fill
@pytest.mark.parametrize("made", [True, False])
def test_what_leads_hold_is_judged_before_an_empty_table_is_filled_for_good(
    database: Database, made: bool
) -> None:
    if made:
        load_leads([])
    before = database.tables()

    def judge() -> None:
        raise SelaRequestError("no")

    with pytest.raises(SelaRequestError, match=r"^no$"):
        load_leads([lead(1)], judge=judge)
    assert database.tables() == before
    if made:
        assert database.table() == []


@on_postgres
def test_a_table_that_copy_would_not_reach_as_insert_does_is_not_filled_itself(database: Database) -> None:
    load_leads([])
    database.run("CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    database.run("CREATE TRIGGER seen AFTER INSERT ON leads FOR EACH ROW EXECUTE FUNCTION seen()")
    staged: list[str] = []
    load_leads([lead(1)], engine=watched(staged))
    assert staged == ["leads"]


@on_postgres
def test_an_empty_table_that_shows_less_than_it_takes_is_told(database: Database) -> None:
    load_leads([])
    engine: Any = engine_for("warehouse", "leads")
    engine.takes_all = lambda: True
    database.run("CREATE FUNCTION deaf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    database.run("CREATE TRIGGER deaf BEFORE INSERT ON leads FOR EACH ROW EXECUTE FUNCTION deaf()")
    with pytest.raises(SelaTargetError, match="the table did not take 2 of 2 rows, and nothing"):
        load_leads([lead(1), lead(2)], engine=engine)
    assert database.table() == []


@on_postgres
@pytest.mark.parametrize("made", [True, False])
def test_two_first_loads_at_once_fill_the_table_once(database: Postgres, made: bool) -> None:
    if made:
        load_leads([])
    leads = sample_leads(50)
    engine: Any = engine_for("warehouse", "leads")
    lock, others = engine.lock, list[Any]()

    def other() -> None:
        others.append(load_leads([{**leads[0], "status": "LATER"}, *leads[1:]], started=moment(2)))

    def lock_late(*, alone: bool) -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(60)
        lock(alone=alone)

    engine.lock = lock_late
    result = load_leads(leads, engine=engine, started=moment(1))
    assert others[0]["new"] == 50
    assert (result["new"], result["changed"], result["unchanged"]) == (0, 0, 50)
    assert [row["status"] for row in database.table()][:1] == ["LATER"]


@on_postgres
def test_loads_into_other_tables_do_not_wait_for_one_that_fills(database: Postgres) -> None:
    load_leads([], table="others")
    engine: Any = engine_for("warehouse", "leads")
    fill, others = engine.fill_target, list[Any]()

    def fill_late(lines: Any, added: Any) -> None:
        thread = threading.Thread(target=lambda: others.append(load_leads([lead(1)], table="others")))
        thread.start()
        thread.join(60)
        fill(lines, added)

    engine.fill_target = fill_late
    load_leads([lead(1)], engine=engine)
    assert others[0]["new"] == 1
