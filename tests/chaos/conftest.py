from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.support.disks import Disk, small_disk
from tests.support.servers import PostgresServer


@pytest.fixture
def list_of_leads(monkeypatch: pytest.MonkeyPatch) -> Iterator[SelaApi]:
    """2,000 leads in pages of 200, as ``sela_default``."""
    with SelaApi(leads=2_000, page_size=200, max_page_size=200) as api:
        connection = {**api.connection, "extra": {"page_size": 200}}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        yield api


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    """A database server that may be stopped and started."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 256 KB."""
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Makes a database the connection ``warehouse``."""
    return lambda database: monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
