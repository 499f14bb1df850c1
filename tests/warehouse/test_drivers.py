"""Airflow's providers let the user choose between two drivers: both land the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_sela.api.leads import lead_row
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaResponseError, SelaTargetError
from airflow_provider_sela.storage.spool import Spool, Tell
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.landing import land
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Load, TaskRun
from tests.support.databases import Database
from tests.support.loads import expected, landed, lead, load_leads, moment, stats
from tests.support.spooling import add
from tests.warehouse.conftest import make

pytestmark = pytest.mark.server


@pytest.fixture(params=["mariadb-connector", "postgres-psycopg2"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    if request.param == "postgres-psycopg2":
        monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
    made = make(request, tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(made.connection))
    return made


def test_the_other_driver_lands_the_same(database: Database) -> None:
    leads = [*sample_leads(250), lead(99_999, email="🏡 \\N\t", metadata={"note": "x" * 1_000_000})]
    assert load_leads(leads, rejects=[{"no": "id"}])["new"] == 251
    again = load_leads([*leads[:-1], {**leads[-1], "status": "LOST"}], deleted_ids=[])
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 1, 250)
    rows = database.table()
    assert [landed(row) for row in rows[:-1]] == [expected(item) for item in leads[:-1]]
    assert rows[-1]["email"] == lead_row(leads[-1]).values["email"]
    assert load_leads(sample_leads(1), deleted_ids=[99_999])["deleted"] == 1


@pytest.mark.parametrize("number", [1, 3000])
def test_a_lead_that_cannot_become_a_row_is_told_as_what_it_is(database: Database, number: int) -> None:
    """psycopg 2 has an error of its own for what is raised while it asks for rows."""
    engine = engine_for("warehouse", "leads")
    encode = engine.dialect.encoder()

    def broken(item: RawLead, tell: Tell) -> bytes:
        if item.id == 10**6 + number - 1:
            raise SelaResponseError("a lead is nested too deeply to be read")
        return encode(item, tell)

    with Spool(broken) as spool:
        for key in range(number):
            add(spool, lead(10**6 + key))
        with engine, pytest.raises(SelaResponseError, match="nested too deeply") as told:
            land(engine, spool, Load(TaskRun("run"), stats(spool, moment(9999))))
    assert told.value.__context__ is None
    assert database.tables() == set()


def test_a_row_that_is_refused_is_told_as_refused(database: Database) -> None:
    """No lead can do this; a defect of ours could."""
    engine = engine_for("warehouse", "leads")
    encode = engine.dialect.encoder()
    with Spool(lambda item, tell: encode(item, tell).replace(b"OPEN-HOUSE", b"\x00")) as spool:
        add(spool, lead(1, email="OPEN-HOUSE"))
        with engine, pytest.raises(SelaTargetError, match="nothing was written"):
            land(engine, spool, Load(TaskRun("run"), stats(spool, moment(9999))))
    assert database.tables() == set()
