"""What DuckDB promises beyond the other engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.warehouse.registry import engine_for
from tests.support.databases import DuckDB


@pytest.mark.parametrize(
    ("extra", "limit"),
    [
        ({}, "244.1 MiB"),
        ({"memory_limit": "64MiB"}, "64.0 MiB"),
        ({"settings": {"memory_limit": "64MiB"}}, "64.0 MiB"),
    ],
)
def test_memory_is_bounded_to_256_mb_unless_the_connection_says_otherwise(
    extra: dict[str, Any], limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**DuckDB(tmp_path).connection, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with engine_for("warehouse", "leads") as engine:
        assert engine.fetch_one("SELECT current_setting('memory_limit')") == (limit,)
