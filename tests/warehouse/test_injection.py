"""Text that is SQL stays text, wherever it comes from: on every engine, beside a table that it would drop."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import lead, load_leads

ATTACKS = (
    "x'); DROP TABLE canary; --",
    'x"); DROP TABLE canary; --',
    "x`); DROP TABLE canary; #",
    "'; DROP TABLE canary; /*",
    "\\'; DROP TABLE canary; --",
    "$$; DROP TABLE canary; $$",
    "%s %(id)s ? :id {0} {id}",
    "x' UNION SELECT * FROM canary --",
    "\\.\nDROP TABLE canary;\n",
    "=cmd|' /C calc'!A0",
)


def skip_emulation(database: Database) -> None:
    if database.name == "snowflake":
        pytest.skip("the emulation of Snowflake breaks at a quote in a name")


@pytest.fixture(autouse=True)
def canary(database: Database) -> Any:
    """A table that must be there afterwards."""
    database.run("CREATE TABLE canary (id INTEGER)")
    database.run("INSERT INTO canary VALUES (1)")
    yield
    assert database.rows("SELECT id FROM canary") == [(1,)]


def test_a_value_lands_as_it_came(database: Database) -> None:
    written = [
        lead(number, email=attack, external_id=attack, status=attack, metadata={attack: [attack]})
        for number, attack in enumerate(ATTACKS)
    ]
    load_leads([{**item, "status": "OPEN"} for item in written])
    load_leads(written)
    for row, attack in zip(sorted(database.table(), key=lambda row: row["id"]), ATTACKS, strict=True):
        assert (row["email"], row["external_id"], row["status"]) == (attack, attack, attack)
        assert row["metadata"] == {attack: [attack]}


def test_names_of_undocumented_fields_and_malformed_values_become_json_and_nothing_else(
    database: Database,
) -> None:
    leads = [lead(number) | {attack: 1, "lead_type": attack} for number, attack in enumerate(ATTACKS)]
    load_leads(leads, rejects=[{attack: attack} for attack in ATTACKS])
    for row, attack in zip(sorted(database.table(), key=lambda row: row["id"]), ATTACKS, strict=True):
        assert row["extra"] == {attack: 1, "_invalid": {"lead_type": attack}}
    kept = [json.loads(raw) for (raw,) in database.rows("SELECT raw FROM _sela_rejects")]
    assert sorted(kept, key=str) == sorted(({attack: attack} for attack in ATTACKS), key=str)


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.HISTORY, Mode.REPLACE])
@pytest.mark.parametrize("attack", [ATTACKS[0], ATTACKS[6]])
def test_a_run_id_is_a_value_in_every_mode(attack: str, mode: Mode, database: Database) -> None:
    for _ in range(2):
        load_leads([lead(1)], mode=mode, run_id=attack)
    assert {row["_sela_run_id"] for row in database.table()} == {attack}


@pytest.mark.parametrize(
    "attack", [*ATTACKS, "leads; DROP TABLE canary", 'l"; DROP TABLE canary; --"', "leads--"]
)
def test_a_table_name_that_is_more_than_a_name_is_refused(attack: str, database: Database) -> None:
    before = database.tables()
    with pytest.raises(SelaRequestError, match="table is"):
        load_leads([lead(1)], table=attack)
    assert database.tables() == before


def test_a_table_name_in_quotes_may_look_like_sql_and_is_a_name(database: Database) -> None:
    skip_emulation(database)
    name = "leads'); DROP TABLE canary; --"
    load_leads([lead(1)], table=f'"{name}"')
    assert name.lower() in database.tables()


def test_a_column_of_the_users_own_may_be_named_like_sql(database: Database) -> None:
    skip_emulation(database)
    load_leads([])
    quote = database.quote
    database.run(f"ALTER TABLE leads ADD COLUMN {quote}x' ; DROP TABLE canary; --{quote} {database.text}")
    load_leads([lead(1)])
    load_leads([lead(1, status="LOST")])
    assert [row["status"] for row in database.table()] == ["LOST"]
