"""The operator's promises that meet a database's own SQL: deletes and privacy, on every engine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.support.databases import Database
from tests.support.loads import SALT, load


@pytest.fixture
def api(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[SelaApi]:
    with SelaApi(leads=30) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        yield server


def test_what_is_gone_is_marked_once_and_unmarked_when_it_returns(api: SelaApi, database: Database) -> None:
    load(deletes="mark")
    gone = dict(api.leads[28_010])
    api.delete(28_010)
    assert [load(deletes="mark")["deleted"] for _ in range(2)] == [1, 0]
    marked = [row["id"] for row in database.table() if row["_sela_deleted_at"]]
    assert marked == [28_010]
    api.add(gone)
    assert load(deletes="mark")["changed"] == 1
    assert {row["_sela_deleted_at"] for row in database.table()} == {None}


def test_what_is_hidden_is_in_no_table(
    api: SelaApi, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
    load(exclude_fields=["email"], hash_fields=["phone_number"], salt_conn_id="salt", keep_metadata=["city"])
    rows = database.table()
    assert {row["email"] for row in rows} == {None}
    assert {len(row["phone_number"]) for row in rows} == {32}
    assert {key for row in rows for key in row["metadata"] or {}} == {"city"}
    everything = repr(
        [rows, database.table("_sela_loads", "run_id"), database.table("_sela_rejects", "run_id")]
    )
    for hidden in ("@example.com", "55501", "Example Street", SALT):
        assert hidden not in everything
