"""Airflow's providers let the user choose between two drivers: both land the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_sela.api.leads import lead_row
from airflow_provider_sela.testing import sample_leads
from tests.support.databases import Database
from tests.support.loads import expected, landed, lead, load_leads
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
