"""What a table does not take, without an error, is told: the counts are of what it then holds."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.generic import GenericEngine
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import lead, load_leads, moment

LEADS = sample_leads(10)
#: 2 changed, 2 are gone, 1 is new.
LATER = [*({**item, "status": "LOST"} for item in LEADS[:2]), *LEADS[2:8], lead(99_999)]

with_triggers = pytest.mark.parametrize(
    "database",
    ["sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgres", "generic"))],
    indirect=True,
)


def deafen(database: Database, event: str, table: str = "leads") -> None:
    """Have a table pass over rows, as a trigger does that somebody forgot."""
    if database.name == "sqlite":
        database.run(f"CREATE TRIGGER deaf BEFORE {event} ON {table} BEGIN SELECT RAISE(IGNORE); END")
        return
    database.run("CREATE FUNCTION pass_over() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    database.run(f"CREATE TRIGGER deaf BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION pass_over()")


def lost(number: int, of: int) -> Any:
    return pytest.raises(SelaTargetError, match=rf"the table did not take {number} of {of} rows, and nothing")


def everything(database: Database) -> list[Any]:
    return [
        database.table(order="id, _sela_synced_at"),
        database.table("_sela_loads", "started"),
        database.table("_sela_rejects", "raw"),
    ]


@with_triggers
@pytest.mark.parametrize(("event", "number"), [("INSERT", 1), ("UPDATE", 2), ("DELETE", 2)])
def test_rows_that_a_trigger_passes_over_are_told(database: Database, event: str, number: int) -> None:
    load_leads(LEADS, mode=Mode.REPLACE)
    deafen(database, event)
    before = everything(database)
    with lost(number, 5):
        load_leads(LATER, mode=Mode.REPLACE)
    assert everything(database) == before
    assert load_leads(LEADS, mode=Mode.REPLACE)["unchanged"] == 10


@with_triggers
@pytest.mark.parametrize(("mode", "event"), [(Mode.HISTORY, "UPDATE"), (Mode.APPEND, "INSERT")])
def test_rows_that_a_trigger_passes_over_are_told_in_every_mode(
    database: Database, mode: Mode, event: str
) -> None:
    load_leads(LEADS[:2], mode=mode)
    deafen(database, event)
    with lost(1 if mode is Mode.APPEND else 2, 3 if mode is Mode.APPEND else 2):
        load_leads(LATER[:2] + LATER[8:] if mode is Mode.APPEND else LATER[:2], mode=mode)


@with_triggers
@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.HISTORY])
def test_marks_that_are_passed_over_are_told(database: Database, mode: Mode) -> None:
    load_leads(LEADS, mode=mode)
    deafen(database, "UPDATE")
    with lost(2, 2):
        load_leads(LEADS[:8], mode=mode, deleted_ids=[item["id"] for item in LEADS[8:]])


@with_triggers
@pytest.mark.parametrize("table", ["_sela_loads", "_sela_rejects"])
def test_a_load_whose_books_are_passed_over_writes_nothing(database: Database, table: str) -> None:
    load_leads(LEADS, rejects=["one"])
    deafen(database, "INSERT", table)
    before = everything(database)
    with pytest.raises(SelaTargetError, match=rf"{table}.*the table did not take 1 of 1 rows"):
        load_leads(LATER, rejects=["one", "two"])
    assert everything(database) == before


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres", "generic"], indirect=True)
def test_a_policy_that_shows_rows_and_lets_none_be_changed_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_leads(LEADS)
    schema, role = database.schema, f"loader_{database.schema}"  # type: ignore[attr-defined]
    for statement in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON SCHEMA {schema} TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "ALTER TABLE leads ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY reads ON leads FOR SELECT USING (true)",
        "CREATE POLICY adds ON leads FOR INSERT WITH CHECK (true)",
    ):
        database.run(statement)
    connection = {**database.connection, "login": role}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    before = everything(database)
    with lost(2, 3):
        load_leads(LATER)
    assert everything(database) == before
    assert load_leads([*LEADS, lead(99_999)])["new"] == 1


@pytest.mark.server
@pytest.mark.parametrize("database", ["generic"], indirect=True)
def test_a_view_that_takes_more_than_it_shows_is_told(database: Database) -> None:
    """Each load would add the hidden leads again."""
    load_leads(LEADS, table="all_leads")
    database.run("CREATE VIEW leads AS SELECT * FROM all_leads WHERE id < 90000")
    with lost(1, 3):
        load_leads(LATER)
    assert database.rows("SELECT COUNT(*) FROM all_leads") == [(10,)]
    assert load_leads(LATER[:-1])["changed"] == 2


@pytest.mark.server
@pytest.mark.parametrize("database", ["generic"], indirect=True)
def test_a_rule_that_does_something_else_instead_is_told(database: Database) -> None:
    load_leads(LEADS)
    database.run("CREATE RULE deaf AS ON UPDATE TO leads DO INSTEAD NOTHING")
    with lost(2, 3):
        load_leads(LATER)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_view_whose_triggers_write_every_row_is_a_table_like_any_other(database: Database) -> None:
    """The driver counts no row of it."""
    load_leads(LEADS, table="all_leads")
    names = [name for name in database.table("all_leads")[0] if name != "id"]
    sets = ", ".join(f"{name} = NEW.{name}" for name in names)
    values = ", ".join(f"NEW.{name}" for name in ["id", *names])
    columns = ", ".join(["id", *names])
    database.run("CREATE VIEW leads AS SELECT * FROM all_leads")
    for event, work in (
        ("INSERT", f"INSERT INTO all_leads ({columns}) VALUES ({values})"),
        ("UPDATE", f"UPDATE all_leads SET {sets} WHERE id = OLD.id"),
        ("DELETE", "DELETE FROM all_leads WHERE id = OLD.id"),
    ):
        database.run(f"CREATE TRIGGER on_{event} INSTEAD OF {event} ON leads BEGIN {work}; END")
    engine = GenericEngine(engine_for("warehouse", "leads").hook, "leads")
    result = load_leads(LATER, mode=Mode.REPLACE, engine=engine)
    assert (result["new"], result["changed"], result["deleted"]) == (1, 2, 2)
    assert [row["id"] for row in database.table("all_leads")] == [item["id"] for item in LATER]


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_what_another_load_wrote_while_this_one_waited_is_compared_with(database: Database) -> None:
    load_leads(LEADS, started=moment(1))
    results: list[dict[str, Any]] = []
    with closing(database.connect()) as other:
        cursor = other.cursor()
        # The server may still be ending the session of a load before.
        cursor.execute("SELECT GET_LOCK('airflow_provider_sela', 30)")
        assert cursor.fetchall()[0][0] == 1
        waiting = threading.Thread(target=lambda: results.append(load_leads(LATER, started=moment(2))))
        waiting.start()
        while not database.rows(
            "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock' OR info LIKE '%GET_LOCK%'"
            f" AND db = '{database.schema}' AND id <> CONNECTION_ID()"  # type: ignore[attr-defined]
        ):
            assert waiting.is_alive(), "the load did not wait for the lock"
        cursor.execute("INSERT INTO leads (id, status) VALUES (99999, 'NEW')")
        cursor.execute(f"DELETE FROM leads WHERE id = {LATER[2]['id']}")
        other.commit()
    waiting.join(30)
    (result,) = results
    assert (result["new"], result["changed"], result["unchanged"]) == (1, 3, 5)
    assert load_leads(LATER, started=moment(3))["unchanged"] == 9
