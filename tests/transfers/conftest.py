from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.support.databases import DuckDB


@pytest.fixture
def warehouse(tmp_path: Path, api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> DuckDB:
    """An empty DuckDB file and a sample API, each behind an Airflow connection."""
    database = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    return database
