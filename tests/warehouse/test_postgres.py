"""What PostgreSQL promises beyond the other engines: poolers, encodings, and settings that change answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Postgres
from tests.support.loads import expected, landed, lead, load_leads
from tests.support.pooler import pgbouncer

pytestmark = [pytest.mark.server, pytest.mark.parametrize("database", ["postgres"], indirect=True)]


@pytest.fixture(scope="session")
def pooler_port(postgres_port: int) -> Iterator[int]:
    with pgbouncer(postgres_port) as port:
        yield port


def connect_with(monkeypatch: pytest.MonkeyPatch, database: Postgres, **changes: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**database.connection, **changes}))


def test_loads_through_a_pooler_that_shares_sessions_do_not_meet_each_others_statements(
    database: Postgres, pooler_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_with(monkeypatch, database, port=pooler_port, extra={})

    def load_many(number: int) -> int:
        loads = [
            load_leads(sample_leads(120), table=f"{database.schema}.leads_{number}", mode=mode)["new"]
            for mode in (Mode.MERGE, Mode.MERGE, Mode.MERGE)
        ]
        return sum(loads)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load_many, range(4))) == [120] * 4


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("cursor", ["dictcursor", "namedtuplecursor", "realdictcursor"])
def test_a_connection_that_asks_for_other_rows_lands_all_the_same(
    database: Postgres, cursor: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if driver == "psycopg2":
        monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
    elif cursor == "realdictcursor":
        pytest.skip("Airflow's hook refuses it with psycopg 3")
    connect_with(monkeypatch, database, extra={**database.connection["extra"], "cursor": cursor})
    leads = sample_leads(30)
    for mode in Mode:
        table = f"leads_{mode}"
        assert load_leads(leads, table=table, mode=mode)["new"] == 30
        assert load_leads(leads, table=table, mode=mode)["unchanged"] == 30
    assert load_leads(leads[1:], table="leads_merge", deleted_ids=[leads[0]["id"]])["deleted"] == 1


def made(database: Postgres, encoding: str) -> str:
    """A database in another encoding beside the one of the tests."""
    name = f"{encoding.lower()}_{database.schema}"
    with closing(database.connect()) as connection:
        connection.autocommit = True
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    return name


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_database_that_knows_no_encoding_takes_every_text_again_and_again(
    database: Postgres, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if driver == "psycopg2":
        monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
    connect_with(monkeypatch, database, schema=made(database, "SQL_ASCII"), extra={})
    leads = [*sample_leads(20), lead(99_999, email="Zoë 🏡 \\N\t", metadata={"Ünï": "🏡\x07", "n": "é"})]
    for mode in (Mode.MERGE, Mode.HISTORY):
        table = f"leads_{mode}"
        assert load_leads(leads, table=table, mode=mode, rejects=[{"no": "Zoë"}])["new"] == 21
        assert load_leads(leads, table=table, mode=mode, rejects=[{"no": "Zoë"}])["unchanged"] == 21
    with engine_for("warehouse", "leads_merge") as engine:
        names = [*expected(leads[-1])]
        values = engine.fetch_one(f"SELECT {', '.join(names)} FROM leads_merge ORDER BY id DESC LIMIT 1")
    row = dict(zip(names, values, strict=True))
    assert (row["email"], row["metadata"]) == (leads[-1]["email"], leads[-1]["metadata"])


def test_a_database_whose_encoding_lacks_characters_is_refused(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_with(monkeypatch, database, schema=made(database, "LATIN1"), extra={})
    with pytest.raises(SelaTargetError, match=r"encoded in LATIN1, .* take one in UTF8") as refused:
        load_leads(sample_leads(3))
    assert not refused.value.retryable


def test_what_a_role_sets_for_its_sessions_changes_no_load(database: Postgres) -> None:
    """Each of these changes what the catalogue answers or how a statement reads."""
    settings = {
        "quote_all_identifiers": "on",
        "DateStyle": "'SQL, DMY'",
        "client_encoding": "'LATIN1'",
        "standard_conforming_strings": "off",
        "TimeZone": "'Asia/Kathmandu'",
    }
    for name, value in settings.items():
        database.run(f"ALTER ROLE sela IN DATABASE postgres SET {name} = {value}")
    try:
        leads = [*sample_leads(20), lead(99_999, email="🏡 \\N 'quoted'\\")]
        assert load_leads(leads)["new"] == 21
        assert load_leads(leads)["unchanged"] == 21
    finally:
        database.run("ALTER ROLE sela IN DATABASE postgres RESET ALL")
    assert [landed(row) for row in database.table()] == [expected(item) for item in leads]


@pytest.mark.parametrize(
    "version",
    [
        "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.77467",
        "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)",
        "PostgreSQL 11.2-YB-2.18.0.0-b0 on x86_64-pc-linux-gnu",
    ],
)
def test_a_server_that_only_speaks_like_postgresql_is_refused_with_the_way_out(
    database: Postgres, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(
        f"CREATE FUNCTION {database.schema}.version() RETURNS text LANGUAGE sql AS $$ SELECT '{version}' $$"
    )
    connect_with(monkeypatch, database, extra={"options": f"-c search_path={database.schema},pg_catalog"})
    with pytest.raises(SelaSetupError, match=r"leads need PostgreSQL 12 or newer.* write Parquet files"):
        load_leads(sample_leads(1))
