"""Tables that exist already, names, and what is refused before anything is written; on every engine."""

from __future__ import annotations

import pytest

from airflow_provider_sela.exceptions import SelaRequestError, SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.identifiers import table_name
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import lead, load_leads


def needs_types(database: Database) -> None:
    if not database.typed:
        pytest.skip("there is no common way to ask for types; the first row is refused instead")


def test_a_column_of_the_users_own_is_left_alone(database: Database) -> None:
    load_leads(sample_leads(3))
    database.run(f"ALTER TABLE leads ADD COLUMN owner {database.text}")
    database.run("UPDATE leads SET owner = 'Kim'")
    changed = [{**item, "status": "LOST"} for item in sample_leads(3)]
    assert load_leads([*changed, lead(99_999)])["changed"] == 3
    assert [row["owner"] for row in database.table()] == ["Kim", "Kim", "Kim", None]


def test_a_missing_column_is_added(database: Database) -> None:
    database.run(f"CREATE TABLE leads (id {database.bigint} NOT NULL, email {database.text})")
    database.run("INSERT INTO leads (id, email) VALUES (28000, 'old'), (5, 'kept')")
    result = load_leads(sample_leads(2))
    assert (result["new"], result["changed"]) == (1, 1)
    rows = {row["id"]: row for row in database.table()}
    assert rows[28000]["phone_number"] == sample_leads(1)[0]["phone_number"]
    assert rows[5]["email"] == "kept"


def test_a_missing_column_is_refused_where_none_may_be_added(database: Database) -> None:
    database.run(f"CREATE TABLE leads (id {database.bigint}, email {database.text})")
    with pytest.raises(
        SelaTargetError, match=r"(?i)table leads: has no column phone_number, .* set add_columns"
    ):
        load_leads(sample_leads(2), add=False)
    assert database.rows("SELECT COUNT(*) FROM leads") == [(0,)]


def test_a_missing_table_is_refused_where_none_may_be_created(database: Database) -> None:
    with pytest.raises(SelaTargetError, match=r"(?i)there is no table leads: create it, or set create_table"):
        load_leads(sample_leads(2), create=False)
    assert database.tables() == set()


def test_every_conflicting_column_is_named_before_anything_is_written(database: Database) -> None:
    needs_types(database)
    database.run(
        f"CREATE TABLE leads (id {database.bigint}, lead_type {database.narrow}, status {database.bigint})"
    )
    with pytest.raises(SelaTargetError) as caught:
        load_leads(sample_leads(2))
    assert "column lead_type is " in str(caught.value)
    assert "column status is " in str(caught.value)
    assert "make it " in str(caught.value)
    assert database.tables() == {"leads"}


def test_timestamps_that_somebody_stores_as_numbers_are_refused(database: Database) -> None:
    needs_types(database)
    database.run(f"CREATE TABLE leads (id {database.bigint}, modified_time {database.bigint})")
    with pytest.raises(SelaTargetError, match="column modified_time is "):
        load_leads(sample_leads(1))


def test_a_column_that_must_not_be_null_is_refused(database: Database) -> None:
    database.run(f"CREATE TABLE leads (id {database.bigint}, email {database.text} NOT NULL)")
    database.run(f"ALTER TABLE leads ADD COLUMN score {database.bigint}")
    with pytest.raises(SelaTargetError, match=r"column email is NOT NULL, .* let it be NULL"):
        load_leads(sample_leads(1))


def test_a_table_of_somebody_else_with_fitting_columns_is_used(database: Database) -> None:
    database.run(
        f"CREATE TABLE leads (note {database.text}, id {database.bigint} NOT NULL, email {database.text},"
        f" modified_time {database.timestamp}, metadata {database.json_type}, UNIQUE (id))"
    )
    load_leads(sample_leads(5))
    assert load_leads(sample_leads(5))["unchanged"] == 5


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_strict_table_takes_leads_if_it_has_what_it_could_not_be_given(database: Database) -> None:
    database.run("CREATE TABLE leads (id INT PRIMARY KEY, sms_dnc INT, call_dnc INT) STRICT")
    load_leads(sample_leads(5))
    assert load_leads(sample_leads(5))["unchanged"] == 5
    assert {row["sms_dnc"] for row in database.table()} <= {0, 1, None}


@pytest.mark.parametrize(
    "table", ['"Web leads"', '"select"', "leads_2026", '"a.b"', '"it\'s"', '"Ünïcode 🏡"']
)
def test_names_that_need_quotes_work(database: Database, table: str) -> None:
    if database.name == "mariadb" and "🏡" in table:
        pytest.skip("MariaDB's identifiers stop at the basic multilingual plane")
    if database.name == "snowflake" and "'" in table:
        pytest.skip("the emulation of Snowflake breaks on a quote in a name")
    load_leads(sample_leads(2), table=table)
    assert load_leads(sample_leads(3), table=table)["new"] == 1
    name = table.replace('"', database.quote) if table.startswith('"') else table
    assert database.rows(f"SELECT COUNT(*) FROM {name}") == [(3,)]


def test_a_table_in_another_schema_has_its_books_there(database: Database) -> None:
    if database.name == "sqlite":
        assert load_leads(sample_leads(2), table="main.leads")["new"] == 2
        return
    schema = f"other_{getattr(database, 'schema', 'x')}"
    database.run(f"CREATE SCHEMA {schema}")
    load_leads(sample_leads(2), table=f"{schema}.leads")
    fold = engine_for("warehouse", "leads").dialect.fold
    assert load_leads(sample_leads(3), table=f'"{fold(schema)}"."{fold("leads")}"')["new"] == 1
    assert database.rows(f"SELECT COUNT(*) FROM {schema}.leads") == [(3,)]
    assert database.rows(f"SELECT COUNT(*) FROM {schema}._sela_loads") == [(2,)]
    assert "leads" not in database.tables()


def test_two_tables_share_the_books(database: Database) -> None:
    load_leads(sample_leads(2), table="leads_a")
    load_leads(sample_leads(2), table="leads_b", mode=Mode.HISTORY)
    targets = database.rows("SELECT LOWER(target) FROM _sela_loads")
    assert sorted(targets) == [("leads_a",), ("leads_b",)]


def test_checking_changes_nothing(database: Database) -> None:
    with engine_for("warehouse", "leads") as engine:
        check(engine, Mode.MERGE)
    assert database.tables() == set()


@pytest.mark.parametrize(
    "table",
    [
        "", " leads", "leads; DROP TABLE leads", "leads--", "a.b.c.d", "leads.", ".leads", '"leads', 'lea"ds',
        '"a"b', "leads leads", '""', '"a%b"', '"a\x00b"', '"a`b"', "1leads", "`leads`", '"a""b"', "x" * 200,
    ],
)  # fmt: skip
def test_what_is_no_table_name_is_refused(table: str) -> None:
    with pytest.raises(SelaRequestError, match=r"table is .*: expected is a name such as leads"):
        table_name(table)
