"""What only seems to have transactions, or to keep anything, is refused before it could cost a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetError
from airflow_provider_sela.testing import SelaApi, sample_leads
from airflow_provider_sela.warehouse.generic import GenericEngine
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support import servers
from tests.support.apart import apart
from tests.support.databases import Database, MariaDB, Postgres
from tests.support.loads import lead, load, load_leads

mariadb = pytest.mark.parametrize(
    "database", [pytest.param("mariadb", marks=pytest.mark.server)], indirect=True
)


@contextmanager
def setting(database: Database, name: str, value: str) -> Iterator[None]:
    """A global variable of MariaDB, as long as it lasts."""
    before = database.rows(f"SELECT @@GLOBAL.{name}")[0][0]
    database.run(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        database.run(f"SET GLOBAL {name} = {before or 'NULL'}")


def engines(database: Database) -> set[str]:
    found = database.rows("SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE()")
    return {engine for (engine,) in found}


@mariadb
def test_tables_are_made_with_transactions_whatever_the_servers_default_is(database: MariaDB) -> None:
    with setting(database, "default_storage_engine", "MyISAM"):
        load_leads([lead(1)])
        database.run("ALTER TABLE leads ADD CONSTRAINT no_two CHECK (id <> 2)")
        with pytest.raises(SelaTargetError, match="nothing was written"):
            load_leads([lead(1, status="LOST"), lead(2)])
    assert engines(database) == {"InnoDB"}
    assert [(row["id"], row["status"]) for row in database.table()] == [(1, lead(1)["status"])]


@mariadb
def test_a_table_without_transactions_is_refused_before_the_first_request(
    database: MariaDB, api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    database.run("CREATE TABLE leads (id BIGINT PRIMARY KEY) ENGINE=MyISAM")
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    with pytest.raises(AirflowFailException, match=r"table leads: is of the engine MyISAM, .* ENGINE=InnoDB"):
        load()
    assert api.requests == []


@mariadb
def test_a_server_that_makes_another_table_than_it_was_asked_for_gets_no_lead(database: MariaDB) -> None:
    with (
        setting(database, "enforce_storage_engine", "MyISAM"),
        pytest.raises(SelaSetupError, match=r"'warehouse': the server's enforce_storage_engine .* InnoDB"),
    ):
        load_leads(sample_leads(3))
    assert database.tables() == set()


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_table_that_is_made_is_looked_at_as_if_somebody_else_had_made_it(database: Postgres) -> None:
    """A rule of the house gives each new table a column that leads cannot fill."""
    name = f"house_rule_{database.schema}"
    database.run(
        f"CREATE FUNCTION {name}() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF to_regclass('{database.schema}.leads') IS NOT NULL"
        f" THEN ALTER TABLE {database.schema}.leads ADD COLUMN IF NOT EXISTS owner text NOT NULL; END IF;"
        " END $$"
    )
    database.run(
        f"CREATE EVENT TRIGGER {name} ON ddl_command_end WHEN TAG IN ('CREATE TABLE')"
        f" EXECUTE FUNCTION {name}()"
    )
    try:
        with pytest.raises(SelaTargetError, match="table leads: column owner is NOT NULL"):
            load_leads(sample_leads(3))
    finally:
        database.run(f"DROP EVENT TRIGGER {name}")
    assert database.tables() == set()


@pytest.mark.parametrize(
    "connection",
    [
        {"conn_type": "sqlite", "host": ":memory:"},
        {"conn_type": "sqlite"},
        {"conn_type": "sqlite", "host": "shared", "extra": {"mode": "memory", "cache": "shared"}},
        {"conn_type": "duckdb"},
        {"conn_type": "duckdb", "host": ":memory:leads"},
        {"conn_type": "duckdb", "extra": {"database": ":memory:"}},
    ],
)
def test_a_database_that_ends_with_the_connection_is_refused(
    connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with pytest.raises(SelaSetupError, match=r"'warehouse' names no file, .* into Host"):
        load_leads(sample_leads(3))


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_connection_that_asks_for_autocommit_still_lands_all_or_nothing(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**database.connection, "extra": {**database.connection["extra"], "autocommit": True}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    load_leads([lead(1)])
    database.run("ALTER TABLE leads ADD CONSTRAINT no_two CHECK (id <> 2)")
    with pytest.raises(SelaTargetError, match="nothing was written"):
        load_leads([lead(1, status="LOST"), lead(2)])
    assert [(row["id"], row["status"]) for row in database.table()] == [(1, lead(1)["status"])]


@mariadb
def test_a_rollback_that_takes_nothing_back_is_found_before_the_first_row(database: MariaDB) -> None:
    """The engine for databases without one of their own cannot ask for kinds of tables."""
    hook = engine_for("warehouse", "leads").hook
    load_leads([lead(1)])
    # MyISAM's keys are too short for the table of rejects.
    for table in database.tables() - {"_sela_rejects"}:
        database.run(f"ALTER TABLE {table} ENGINE=MyISAM")
    with pytest.raises(SelaSetupError, match=r"'warehouse': the database keeps what is rolled back"):
        load_leads([lead(1, status="LOST"), lead(2)], engine=GenericEngine(hook, "leads"))
    assert [(row["id"], row["status"]) for row in database.table()] == [(1, lead(1)["status"])]
    assert len(database.rows("SELECT * FROM _sela_loads")) == 1


def clickhouse(folder: Path) -> Any:
    """A hook that says nothing of having no transactions."""
    import chdb.dbapi
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    class SalesHook(DbApiHook):
        conn_name_attr = "sales_conn_id"
        # Whose types ClickHouse takes; those of the standard it refuses at once.
        dialect_name = "mysql"

        def get_conn(self) -> Any:
            return chdb.dbapi.connect(str(folder / "chdb"))

    return SalesHook(sales_conn_id="warehouse")


def load_into_clickhouse(folder: Path) -> None:
    load_leads(sample_leads(3), engine=GenericEngine(clickhouse(folder), "leads"))


def check_clickhouse_that_stays_in_autocommit(folder: Path) -> None:
    hook = clickhouse(folder)
    type(hook).get_autocommit = lambda self, connection: True
    with GenericEngine(hook, "leads") as engine:
        check(engine, Mode.MERGE)


@pytest.mark.server
@pytest.mark.parametrize(
    ("attempt", "refusal"),
    [
        pytest.param(load_into_clickhouse, "keeps what is rolled back", id="first row"),
        pytest.param(
            check_clickhouse_that_stays_in_autocommit, "'warehouse' stays in autocommit", id="first request"
        ),
    ],
)
def test_a_database_without_transactions_is_refused_before(
    attempt: Callable[[Path], None], refusal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: as it is imported, chdb takes the signals that a JVM lives by."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sales"}))
    if not find_spec("chdb"):
        servers.lacking("chdb is not installed: uv sync --group servers")
    with pytest.raises(SelaSetupError, match=refusal):
        apart(attempt, tmp_path)
