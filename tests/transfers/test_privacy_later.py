"""Privacy options that change between two loads: what is written anew, and what stays as it was."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.support.databases import DuckDB
from tests.support.loads import SALT, load

HASHED: dict[str, Any] = {"hash_fields": ["phone_number"], "salt_conn_id": "salt"}
GONE = 28_000


@pytest.fixture(autouse=True)
def salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))


def in_the_clear(warehouse: DuckDB, where: str = "true") -> list[int]:
    found = warehouse.rows(f"SELECT id, phone_number FROM leads WHERE {where} ORDER BY id")
    return [
        lead_id
        for lead_id, phone_number in found
        if phone_number and not re.fullmatch("[0-9a-f]{32}", phone_number)
    ]


@pytest.mark.parametrize("rule", [HASHED, {"exclude_fields": ["phone_number"]}], ids=["hashed", "excluded"])
def test_a_rule_that_is_added_later_reaches_every_lead_that_is_read_and_no_other(
    api: SelaApi, warehouse: DuckDB, rule: dict[str, Any]
) -> None:
    load()
    api.delete(GONE)
    assert load(**rule)["changed"] == 249
    assert in_the_clear(warehouse) == [GONE]


def test_older_versions_keep_what_they_had(api: SelaApi, warehouse: DuckDB) -> None:
    load(mode="history")
    assert load(mode="history", **HASHED)["new"] == 0
    assert in_the_clear(warehouse, "_sela_valid_to IS NULL") == []
    assert len(in_the_clear(warehouse, "_sela_valid_to IS NOT NULL")) == 250


def test_another_salt_writes_every_row_anew(
    api: SelaApi, warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(**HASHED)
    before = set(warehouse.rows("SELECT phone_number FROM leads"))
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT[::-1]}))
    assert load(**HASHED)["changed"] == 250
    assert not before & set(warehouse.rows("SELECT phone_number FROM leads"))


def test_a_read_of_what_is_new_reads_everything_after_a_rule_has_changed(
    api: SelaApi, warehouse: DuckDB
) -> None:
    options: dict[str, Any] = {"page_size": 20, "read": "new"}
    load(**options)
    result = load(**options, **HASHED)
    assert (result["scope"], result["changed"]) == ("full", 250)
    assert "privacy options" in result["why_full"]
    assert in_the_clear(warehouse) == []
