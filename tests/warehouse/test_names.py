"""One table has one name in its books, however it is spelled, and its books lie beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.generic import GenericEngine
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support import servers
from tests.support.databases import Database, MariaDB, Postgres, SQLite
from tests.support.loads import load_leads

LEADS = sample_leads(3)


def of(database: Database, names: set[str]) -> None:
    assert {row[0] for row in database.rows("SELECT target FROM _sela_loads")} == names


def one_table_however_it_is_spelled(database: Database, make: Any) -> None:
    load_leads(LEADS, mode=Mode.APPEND, engine=make("leads"))
    with pytest.raises(SelaTargetError, match="table Leads was loaded in mode append"):
        load_leads(LEADS, engine=make("Leads"))
    result = load_leads(LEADS, mode=Mode.APPEND, engine=make('"LEADS"'), rejects=["no lead"])
    assert (result["new"], result["unchanged"]) == (0, 3)
    assert load_leads(LEADS, mode=Mode.APPEND, engine=make("lEADS"), rejects=["no lead"])["rejected"] == 1
    of(database, {"leads"})
    assert len(database.table("_sela_rejects", "raw")) == 1


def specific(table: str) -> Engine:
    return engine_for("warehouse", table)


def generic(table: str) -> Engine:
    return GenericEngine(engine_for("warehouse", table).hook, table)


@pytest.mark.parametrize("database", ["duckdb", "sqlite"], indirect=True)
def test_a_table_has_one_name_where_case_means_nothing(database: Database) -> None:
    one_table_however_it_is_spelled(database, specific)


@pytest.mark.parametrize("database", ["duckdb", "sqlite"], indirect=True)
def test_the_name_is_that_of_the_table_that_was_made(database: Database) -> None:
    load_leads(LEADS, table="Leads")
    load_leads(LEADS, table="leads")
    of(database, {"Leads"})


def test_a_database_without_an_engine_of_its_own_is_asked_whether_case_means_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = SQLite(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    one_table_however_it_is_spelled(database, generic)


@pytest.mark.server
def test_a_server_that_folds_names_has_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.mariadb("--lower-case-table-names=1") as port:
        database = MariaDB(port, "folding")
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
        load_leads(LEADS, mode=Mode.APPEND, table="Leads")
        of(database, {"leads"})
        with pytest.raises(SelaTargetError, match="table LEADS was loaded in mode append"):
            load_leads(LEADS, table="LEADS")


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres", "mariadb", "snowflake", "generic"], indirect=True)
def test_where_case_means_something_two_spellings_are_two_tables(database: Database) -> None:
    load_leads(LEADS, mode=Mode.APPEND, table="leads")
    if database.name == "snowflake":
        # The emulation keeps tables in a database that compares without case.
        of(database, {"LEADS"})
        return
    load_leads(LEADS, table='"Leads"')
    of(database, {"leads", "Leads"})


@pytest.fixture
def schemas(database: Database, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two schemas of a search path."""
    assert isinstance(database, Postgres)
    first, second = database.schema, f"{database.schema}_Later"
    database.run(f'CREATE SCHEMA "{second}"')
    connection = {
        **database.connection,
        "extra": {"options": f'-c search_path={first},"{second.replace(" ", chr(92) + " ")}"'},
    }
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    return first, second


on_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def books(database: Database, schema: str) -> list[tuple[Any, ...]]:
    return database.rows(
        "SELECT table_name FROM information_schema.tables"
        f" WHERE table_schema = '{schema}' AND table_name LIKE '!_sela%' ESCAPE '!' ORDER BY 1"
    )


@pytest.mark.server
@on_postgres
def test_a_table_in_a_later_schema_of_the_search_path_has_its_books_there(
    database: Database, schemas: tuple[str, str]
) -> None:
    first, second = schemas
    database.run(f'CREATE TABLE "{second}".leads (id bigint PRIMARY KEY)')
    assert load_leads(LEADS, table="leads")["new"] == 3
    assert load_leads(LEADS, table=f'"{second}".leads')["unchanged"] == 3
    assert (books(database, first), books(database, second)) == (
        [],
        [("_sela_loads",), ("_sela_rejects",)],
    )
    assert len(database.rows(f'SELECT 1 FROM "{second}"._sela_loads')) == 2
    with pytest.raises(SelaTargetError, match="table leads was loaded in mode merge"):
        load_leads(LEADS, table="leads", mode=Mode.APPEND)


@pytest.mark.server
@on_postgres
@pytest.mark.parametrize("made", [True, False], ids=["found in the first", "made in the first"])
def test_a_namesake_in_a_later_schema_does_not_matter(
    database: Database, schemas: tuple[str, str], made: bool
) -> None:
    first, second = schemas
    load_leads(LEADS, table=f'"{second}".leads', mode=Mode.APPEND)
    if made:
        database.run(f"CREATE TABLE {first}.leads (id bigint PRIMARY KEY)")
    else:
        database.run(f'DROP TABLE "{second}".leads')
    assert load_leads(LEADS, table="leads")["new"] == 3
    assert database.rows(f"SELECT mode FROM {first}._sela_loads") == [("merge",)]
    assert database.rows(f'SELECT mode FROM "{second}"._sela_loads') == [("append",)]
