"""What MySQL and MariaDB promise beyond the other engines."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_provider_sela.exceptions import SelaTargetUnavailableError
from airflow_provider_sela.testing import sample_leads
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
