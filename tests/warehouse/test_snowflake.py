"""What Snowflake promises beyond the other engines."""

from __future__ import annotations

import gzip
import json
import logging
from typing import cast

import pytest

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetError, SelaTargetUnavailableError
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.landing import check, land
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.snowflake import _parts
from airflow_provider_sela.warehouse.tables import Load, Mode, TaskRun
from tests.support.databases import Database
from tests.support.loads import lead, load_leads, moment, stats
from tests.support.spooling import add

emulated = pytest.mark.parametrize(
    "database", [pytest.param("snowflake", marks=pytest.mark.server)], indirect=True
)


@emulated
def test_a_schema_that_is_not_there_is_named_and_the_log_is_as_before(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="snowflake.connector")
    with pytest.raises(SelaTargetError, match=r'no schema "NOWHERE" that .* role may use \(\d+\)'):
        load_leads(sample_leads(1), table="nowhere.leads")
    assert logging.getLogger("snowflake.connector").level == logging.DEBUG


@emulated
def test_a_warehouse_that_the_connection_lacks_is_named_with_the_remedy(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = database.connection
    del connection["extra"]["warehouse"]
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with pytest.raises(SelaSetupError, match=r"'warehouse' gives no warehouse .* set it in the connection"):
        load_leads(sample_leads(1))
    assert database.tables() == set()


@emulated
def test_a_session_that_was_ended_is_not_taken_for_a_table_that_is_missing(database: Database) -> None:
    load_leads(sample_leads(3))
    with engine_for("warehouse", "leads") as engine:
        database.bury()
        with pytest.raises(SelaTargetUnavailableError, match=r"snowflake\.ProgrammingError"):
            check(engine, Mode.MERGE, create=False)


@emulated
def test_rows_that_went_missing_on_the_way_undo_the_load(database: Database) -> None:
    """COPY passes over an empty line, which no lead makes, as over a file that it believes to have loaded."""
    load_leads(sample_leads(3))
    engine = engine_for("warehouse", "leads")
    encode = engine.dialect.encoder()
    with Spool(lambda item, tell: b"" if item.id == 5 else encode(item, tell)) as spool:
        for item in (lead(4), lead(5)):
            add(spool, cast(Lead, item))
        with engine, pytest.raises(SelaTargetUnavailableError, match="took 1 of 2 rows and nothing was"):
            land(engine, spool, Load(TaskRun("run"), stats(spool, moment(9999))))
    assert len(database.table()) == 3


@emulated
def test_a_load_that_is_sent_in_many_parts_lands_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_sela.warehouse.snowflake._PART_BYTES", 10_000)
    assert load_leads(sample_leads(100))["new"] == 100
    assert [row["id"] for row in database.table()] == sorted(item["id"] for item in sample_leads(100))


def test_a_part_is_not_longer_than_what_memory_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_sela.warehouse.snowflake._PART_BYTES", 1000)
    lines = [json.dumps({"id": number}).encode() for number in range(1000)]
    parts = [(gzip.decompress(part.read()).splitlines(), number) for part, number in _parts(lines)]
    assert [line for part, _ in parts for line in part] == lines
    assert all(len(part) == number for part, number in parts)
    assert max(sum(map(len, part)) for part, _ in parts) < 1000 + max(map(len, lines))
