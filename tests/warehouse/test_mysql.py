"""What MySQL and MariaDB promise beyond the other engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from airflow_provider_sela.exceptions import SelaTargetUnavailableError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import load_leads


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
