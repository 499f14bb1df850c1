"""A worker that is killed while Sela answers slowly has not touched the target."""

from __future__ import annotations

import json
import os
import time

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.support.databases import DuckDB
from tests.support.loads import load
from tests.warehouse.dying import PROCESSES


def run(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    load(run_id="killed")


def test_killed_while_reading_the_target_is_as_it_was(
    api: SelaApi, warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(run_id="before")
    before = warehouse.table()
    api.update(28_007, status="LOST")
    api.latency, asked = 0.2, len(api.requests)
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    process = PROCESSES.Process(
        target=run, args=({name: value for name, value in os.environ.items() if "AIRFLOW" in name},)
    )
    process.start()
    deadline = time.monotonic() + 30
    while len(api.requests) < asked + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join(30)
    assert process.exitcode == -9
    assert len(api.requests) >= asked + 2
    assert warehouse.table() == before
    api.latency = 0.0
    assert load(run_id="retry")["changed"] == 1
