"""Clocks that differ: versions go by the server's, which all workers share, and no load fails."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.testing.wire import Request, Response
from tests.operators.parts_run import PartsRun
from tests.support.databases import DuckDB
from tests.support.loads import load

YEARS = 5 * 365 * 86_400.0


class ShiftedApi(SelaApi):
    """Has another time than the worker, as where the worker's clock is wrong."""

    shift: float | None = 0.0

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        # An empty Date is none: the server would put in its own.
        date = "" if self.shift is None else email.utils.formatdate(time.time() + self.shift, usegmt=True)
        response.headers["Date"] = date
        return response


@pytest.fixture
def shifted(warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShiftedApi]:
    with ShiftedApi(leads=50) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        yield api


@pytest.mark.parametrize("shift", [-YEARS, -120.0, 0.0, 120.0, YEARS])
def test_versions_and_books_have_the_servers_time(
    shifted: ShiftedApi, warehouse: DuckDB, shift: float
) -> None:
    shifted.shift = shift
    before = datetime.now(UTC) + timedelta(seconds=shift)
    load()
    after = datetime.now(UTC) + timedelta(seconds=shift)
    margin = timedelta(seconds=2)
    (stamp,) = {row["_sela_synced_at"] for row in warehouse.table()}
    (books,) = warehouse.table("_sela_loads", "run_id")
    assert before - margin <= stamp == books["started"] <= books["finished"] <= after + margin


@pytest.mark.parametrize("mode", ["merge", "history"])
def test_after_a_worker_that_is_years_ahead_the_next_one_still_records_changes(
    shifted: ShiftedApi, warehouse: DuckDB, mode: str
) -> None:
    """The change leaves modified_time alone."""
    shifted.shift = -YEARS
    load(mode=mode, deletes="mark")
    # The second worker's clock is right.
    shifted.shift = -YEARS + 30
    shifted.leads[28_003]["status"] = "CHANGED"
    shifted.delete(28_004)
    result = load(mode=mode, deletes="mark", run_id="second")
    assert (result["changed"], result["deleted"], result["ahead"]) == (1, 1, 0)


def test_rows_that_a_wrong_clock_has_left_are_told(
    shifted: ShiftedApi,
    warehouse: DuckDB,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shifted.shift = YEARS
    load()
    shifted.shift = 0.0
    shifted.leads[28_003]["status"] = "CHANGED"
    result = load(run_id="second")
    assert (result["changed"], result["ahead"]) == (0, 50)
    assert [row["ahead"] for row in warehouse.table("_sela_loads", "finished")] == [50, 0]
    logged = caplog.text + "".join(capfd.readouterr())
    assert "50 leads have rows that are stamped later than now" in logged
    assert re.search(r"worker's clock and the server's differ by 1576\d+ s", logged)


def test_a_server_without_a_date_leaves_the_workers_time(shifted: ShiftedApi, warehouse: DuckDB) -> None:
    shifted.shift = None
    before = datetime.now(UTC)
    load()
    assert before <= warehouse.table()[0]["_sela_synced_at"] <= datetime.now(UTC)


def test_a_file_says_when_it_was_read_by_the_servers_time(
    shifted: ShiftedApi, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shifted.shift = -YEARS
    path = tmp_path_factory.mktemp("out") / "leads.csv"
    SelaLeadsOperator(task_id="file", path=str(path)).execute({"run_id": "manual__1"})
    manifest = json.loads(path.with_name("leads.csv.manifest.json").read_text())
    assert datetime.fromisoformat(manifest["started"]).year == (datetime.now(UTC) - timedelta(5 * 365)).year


def test_a_read_in_parts_begins_by_the_servers_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ShiftedApi(leads=1000, page_size=50, max_page_size=50) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        api.shift = -YEARS
        in_parts = PartsRun(tmp_path)
        parts = [in_parts.read(part) for part in in_parts.plan()]
        # The task that finishes runs elsewhere, where the clock is right.
        api.shift = 0.0
        in_parts.land(parts)
    manifest = json.loads(in_parts.target.with_name("leads.jsonl.manifest.json").read_text())
    assert datetime.fromisoformat(manifest["started"]).year == (datetime.now(UTC) - timedelta(5 * 365)).year
