"""What MySQL and MariaDB promise beyond the other engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from airflow_provider_sela.exceptions import SelaTargetUnavailableError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import lead, load_leads


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_load_that_waits_too_long_for_another_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_sela.warehouse.mysql._LOCK_WAIT_SECONDS", 0)
    with closing(database.connect()) as other:
        other.cursor().execute("SELECT GET_LOCK('airflow_provider_sela', 0)")
        with pytest.raises(SelaTargetUnavailableError, match=r"another load has been writing .* again"):
            load_leads(sample_leads(3))
        assert database.tables() == set()
    assert load_leads(sample_leads(3))["new"] == 3


@pytest.fixture
def primary_keys_demanded(database: Database) -> Iterator[None]:
    """As managed servers are set up that replicate by row; MySQL calls it sql_require_primary_key."""
    database.run("SET GLOBAL innodb_force_primary_key = ON")
    yield
    database.run("SET GLOBAL innodb_force_primary_key = OFF")


@pytest.mark.server
@pytest.mark.usefixtures("primary_keys_demanded")
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_server_that_demands_primary_keys_gets_them(database: Database, mode: Mode) -> None:
    for _ in range(2):
        load_leads(sample_leads(3), mode=mode, rejects=["no lead"])
    assert len(database.table("_sela_loads", "started")) == 2
    assert len(database.table("_sela_rejects", "raw")) == 1


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_lead_with_the_id_0_keeps_it_in_a_column_that_counts(database: Database, mode: Mode) -> None:
    """To MySQL a zero asks for the next number, unless it is told otherwise."""
    database.run("CREATE TABLE leads (id BIGINT NOT NULL AUTO_INCREMENT, KEY (id))")
    for _ in range(2):
        load_leads([lead(0), lead(7)], mode=mode)
    assert [row["id"] for row in database.table()] == [0, 7]


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("cursor", ["SSCursor", "DictCursor", "SSDictCursor"])
def test_a_connection_that_asks_for_other_rows_lands_all_the_same(
    database: Database, cursor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**database.connection, "extra": {**database.connection["extra"], "cursor": cursor}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    for mode in Mode:
        assert load_leads(sample_leads(30), table=f"leads_{mode}", mode=mode)["new"] == 30
        assert load_leads(sample_leads(30), table=f"leads_{mode}", mode=mode)["unchanged"] == 30


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_server_that_refuses_updates_without_a_key_takes_a_load(database: Database) -> None:
    """``sql_safe_updates``, which some hosts switch on, refuses what names no key."""
    database.run("SET GLOBAL sql_safe_updates = 1")
    try:
        load_leads(sample_leads(30))
        assert (
            load_leads([{**item, "status": "LOST"} for item in sample_leads(29)], mode=Mode.REPLACE)[
                "deleted"
            ]
            == 1
        )
    finally:
        database.run("SET GLOBAL sql_safe_updates = 0")


@pytest.mark.server
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_unicode_ci"])
def test_what_has_not_changed_is_found_in_a_table_of_another_collation(
    database: Database, collation: str
) -> None:
    load_leads([lead(1), lead(2, status="OPEN")])
    database.run(f"ALTER TABLE leads CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}")
    # To the column the two are one text.
    result = load_leads([lead(1), lead(2, status="open")])
    assert (result["changed"], result["unchanged"]) == (1, 1)
    assert [row["status"] for row in database.table()][1] == "open"
