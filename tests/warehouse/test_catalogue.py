"""What the database knows before a load is asked for before the first request, and told with the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import SelaApi, sample_leads
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database, MariaDB, Postgres
from tests.support.loads import load, load_leads

#: Statements of somebody else, and what a load says of the table that they made.
UNFIT: dict[str, dict[str, tuple[list[str], str]]] = {
    "postgres": {
        "an identity that is always generated": (
            ["CREATE TABLE leads (id bigint GENERATED ALWAYS AS IDENTITY, email text)"],
            "table leads: column id is bigint generated always, .* make it bigint",
        ),
        "a column that is always generated": (
            ["CREATE TABLE leads (id bigint, email text GENERATED ALWAYS AS ('x') STORED)"],
            "table leads: column email is text generated always, .* make it text",
        ),
        "a view": (
            ["CREATE TABLE people (id bigint)", "CREATE VIEW leads AS SELECT * FROM people"],
            "table leads: is a view: leads need a table",
        ),
        "a materialized view": (
            ["CREATE MATERIALIZED VIEW leads AS SELECT 1::bigint AS id"],
            "table leads: is a materialized view: leads need a table",
        ),
        "an index": (
            ["CREATE TABLE people (id bigint)", "CREATE INDEX leads ON people (id)"],
            "table leads: is no table: leads need a table",
        ),
        "a rule that drops every row": (
            ["CREATE TABLE leads (id bigint)", "CREATE RULE none AS ON INSERT TO leads DO INSTEAD NOTHING"],
            "table leads: has a rule that does something else instead",
        ),
    },
    "mariadb": {
        "a column that is always generated": (
            ["CREATE TABLE leads (id BIGINT, email LONGTEXT AS ('x') STORED)"],
            "table leads: column email is longtext generated always, .* make it longtext",
        ),
        "text without emoji": (
            ["CREATE TABLE leads (id BIGINT, email LONGTEXT CHARACTER SET utf8mb3)"],
            "table leads: column email is longtext character set utf8mb3, .* make it longtext",
        ),
        "a view": (
            ["CREATE TABLE people (id BIGINT)", "CREATE VIEW leads AS SELECT * FROM people"],
            "table leads: is a view: leads need a table",
        ),
    },
    "sqlite": {
        "a column that is always generated": (
            ["CREATE TABLE leads (id INTEGER, email TEXT AS ('x') STORED)"],
            "table leads: column email is text generated always, .* make it text",
        ),
        "a view": (
            ["CREATE TABLE people (id INTEGER)", "CREATE VIEW leads AS SELECT * FROM people"],
            "table leads: is a view: leads need a table",
        ),
        "a strict table that lacks columns": (
            ["CREATE TABLE leads (id INTEGER PRIMARY KEY, sms_dnc INTEGER) STRICT, WITHOUT ROWID"],
            "table leads: is STRICT, which knows no BOOLEAN: add call_dnc as INTEGER",
        ),
        "a virtual table": (
            ["CREATE VIRTUAL TABLE leads USING fts5(id)"],
            "table leads: is a virtual table: leads need a table",
        ),
    },
    "duckdb": {
        "a column that is always generated": (
            ["CREATE TABLE leads (id BIGINT, email VARCHAR AS ('x'))"],
            "table leads takes no INSERT: .*generated column",
        ),
        "a view": (
            ["CREATE TABLE people (id BIGINT)", "CREATE VIEW leads AS SELECT * FROM people"],
            "table leads: is a view: leads need a table",
        ),
    },
    "snowflake": {
        "a view": (
            ["CREATE TABLE people (id BIGINT)", "CREATE VIEW leads AS SELECT * FROM people"],
            "table leads takes no INSERT",
        ),
    },
    "generic": {
        "a view that takes nothing": (
            ["CREATE VIEW leads AS SELECT 1::bigint AS id, 2 AS two"],
            "table leads takes no INSERT: pyodbc",
        ),
        "an identity that is always generated": (
            ["CREATE TABLE leads (id bigint GENERATED ALWAYS AS IDENTITY)"],
            "table leads takes no INSERT: pyodbc",
        ),
    },
}  # fmt: skip


def refused(pattern: str, mode: Mode = Mode.MERGE) -> None:
    with engine_for("warehouse", "leads") as engine, pytest.raises(SelaTargetError, match=pattern) as told:
        check(engine, mode)
    assert not told.value.retryable


@pytest.mark.parametrize(
    ("database", "statements", "pattern"),
    [
        pytest.param(name, *case, id=f"{name}: {what}", marks=pytest.mark.server)
        for name, cases in UNFIT.items()
        for what, case in cases.items()
    ],
    indirect=["database"],
)
def test_a_table_that_takes_no_leads_is_refused_with_the_reason(
    database: Database, statements: list[str], pattern: str
) -> None:
    for statement in statements:
        database.run(statement)
    refused(pattern)


@pytest.mark.server
class TestRightsInPostgres:
    """A role that may less than a load does."""

    @pytest.fixture
    def database(self, database: Postgres) -> Iterator[Postgres]:
        role = f"r{database.schema}"
        database.run(f"CREATE ROLE {role} LOGIN")
        database.run(f"GRANT USAGE ON SCHEMA {database.schema} TO {role}")
        yield database
        database.run(f"DROP OWNED BY {role}")
        database.run(f"DROP ROLE {role}")

    @pytest.fixture
    def role(self, database: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
        role = f"r{database.schema}"
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**database.connection, "login": role}))
        return role

    pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)

    def test_a_schema_in_which_it_may_create_nothing_is_named(self, role: str, database: Postgres) -> None:
        refused(rf"table leads cannot be created: .* nothing in schema {database.schema}: GRANT CREATE")

    def test_columns_that_it_may_not_add_are_told(self, role: str, database: Postgres) -> None:
        database.run(f"CREATE TABLE leads (id bigint); GRANT ALL ON leads TO {role}")
        refused("table leads: lacks columns, and only its owner may add them")

    @pytest.mark.parametrize(
        ("rights", "verb"),
        [("SELECT", "INSERT"), ("SELECT, INSERT", "UPDATE"), ("SELECT, INSERT, UPDATE", "DELETE")],
    )
    def test_a_right_that_it_lacks_is_named(
        self, role: str, database: Postgres, rights: str, verb: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as owner:
            owner.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
            load_leads(sample_leads(1), mode=Mode.REPLACE)
        database.run(f"GRANT {rights} ON leads, _sela_loads, _sela_rejects TO {role}")
        refused(rf"table leads takes no {verb}: .*\(42501\): permission denied for table leads", Mode.REPLACE)
        if verb == "DELETE":
            with engine_for("warehouse", "leads") as engine:
                check(engine, Mode.MERGE)

    def test_a_table_that_it_may_not_read_is_told_in_the_databases_words(
        self, role: str, database: Postgres
    ) -> None:
        database.run(f"REVOKE USAGE ON SCHEMA {database.schema} FROM {role}")
        with (
            engine_for("warehouse", f"{database.schema}.leads") as engine,
            pytest.raises(SelaTargetError, match="permission denied for schema") as told,
        ):
            check(engine, Mode.MERGE)
        assert not told.value.retryable


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("path", ["''", "nowhere"])
def test_a_search_path_without_a_schema_is_told(
    database: Postgres, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**database.connection, "extra": {"options": f"-c search_path={path}"}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    refused("table leads cannot be created: search_path names no schema that is there: write schema.table")


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres", "mariadb", "duckdb"], indirect=True)
def test_a_schema_that_is_not_there_is_named(database: Database) -> None:
    with (
        engine_for("warehouse", "nowhere.leads") as engine,
        pytest.raises(SelaTargetError, match=r"no (schema|database) nowhere") as told,
    ):
        check(engine, Mode.MERGE)
    assert not told.value.retryable


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
class TestRightsInMariaDB:
    """A user that may less than a load does."""

    @pytest.fixture
    def user(self, database: MariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        user = f"u{database.schema}"
        database.run(f"CREATE USER {user}@'127.0.0.1'")
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**database.connection, "login": user}))
        yield user
        database.run(f"DROP USER {user}@'127.0.0.1'")

    def grant(self, database: MariaDB, user: str, rights: str, on: str = "*") -> None:
        database.run(f"GRANT {rights} ON {database.schema}.{on} TO {user}@'127.0.0.1'")

    def test_what_it_lacks_to_create_the_tables_is_named(self, database: MariaDB, user: str) -> None:
        self.grant(database, user, "SELECT, INSERT, UPDATE")
        refused(
            "lacks the right CREATE TEMPORARY TABLES: GRANT it; the user lacks the right CREATE: GRANT it"
        )

    def test_what_it_lacks_to_add_columns_is_named(self, database: MariaDB, user: str) -> None:
        database.run("CREATE TABLE leads (id BIGINT)")
        self.grant(database, user, "SELECT, INSERT, UPDATE, CREATE, CREATE TEMPORARY TABLES")
        refused("table leads: the user lacks the right ALTER: GRANT it")

    def test_what_it_lacks_to_write_is_named(
        self, database: MariaDB, user: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as owner:
            owner.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
            load_leads(sample_leads(1))
        self.grant(database, user, "SELECT, INSERT, CREATE TEMPORARY TABLES")
        refused(r"table leads takes no UPDATE: .*\(1142\): .*UPDATE command denied")

    @pytest.mark.parametrize("pattern", ["t%", r"t\_", "t_%"])
    def test_rights_on_databases_of_a_pattern_count(self, database: MariaDB, user: str, pattern: str) -> None:
        database.run(f"GRANT ALL ON `{pattern}`.* TO {user}@'127.0.0.1'")
        if "\\" in pattern:
            self.grant(database, user, "ALL")
        assert load_leads(sample_leads(3))["new"] == 3

    def test_rights_of_a_role_count(self, database: MariaDB, user: str) -> None:
        database.run(f"CREATE ROLE r{user}")
        database.run(f"GRANT ALL ON {database.schema}.* TO r{user}")
        database.run(f"GRANT r{user} TO {user}@'127.0.0.1'")
        database.run(f"SET DEFAULT ROLE r{user} FOR {user}@'127.0.0.1'")
        try:
            assert load_leads(sample_leads(3))["new"] == 3
        finally:
            database.run(f"DROP ROLE r{user}")


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_connection_without_a_database_is_told_what_to_write(
    database: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**database.connection, "schema": ""}))
    refused("table leads cannot be created: the connection names no database: write database.table")


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_role_without_temporary_tables_is_told_what_to_grant(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, role = f"d{database.schema}", f"r{database.schema}"
    with closing(database.connect()) as connection:
        connection.autocommit = True
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        connection.execute(f"CREATE ROLE {role} LOGIN")
    made: dict[str, Any] = {**database.connection, "login": role, "schema": name}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(made))
    with pytest.raises(SelaTargetError, match="no temporary tables here: GRANT TEMPORARY") as told:
        engine_for("warehouse", "leads").__enter__()
    assert not told.value.retryable


def test_an_unfit_table_costs_no_request(
    database: Database, api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    database.run(f"CREATE TABLE people (id {database.bigint}, two {database.bigint})")
    database.run("CREATE VIEW leads AS SELECT MAX(id) AS id FROM people GROUP BY two")
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    with pytest.raises(AirflowFailException, match=r"(?i)table .*leads"):
        load()
    assert api.requests == []
