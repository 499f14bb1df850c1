"""The benchmarks run, tell goals that were missed, and write what they measured where it belongs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks import steps
from benchmarks.environments import Environments, scratch
from benchmarks.goals import goals
from benchmarks.report import NAMES, draw, tables, write_docs
from benchmarks.serving import FIRST_ID, LATER, TOKEN, serving
from benchmarks.suite import Scale, Suite
from tests.conftest import REPOSITORY


def ways(*names: str) -> dict[str, dict[str, Any]]:
    """Figures of some ways, each a second slower than the one before."""
    every = {
        name: {"seconds": 1.0 + number, "cpu": 0.5, "peak": 100, "leads": 1000}
        for number, name in enumerate(names)
    }
    extra = {"rows_touched": 0, "wal_megabytes": 0.1, "new": 0, "changed": 0, "megabytes_written": 0}
    return {name: each | extra if name == "unchanged" else each for name, each in every.items()}


@pytest.fixture
def results() -> dict[str, Any]:
    return {
        "reading_with_latency": {
            "ways": ways("read_raw", "read_sela", "read_requests", "read_http", "read_dlt")
        },
        "loading_postgres": {
            "ways": ways(
                "limit_sela", "load_sela", "load_http_postgres", "load_dlt_postgres", "load_pandas_postgres",
                "unchanged", "changed", "load_http_postgres_again",
            )
        },
        "loading_others": {"databases": {"SQLite": [{"seconds": 3.0}, {"seconds": 1.0}, {"seconds": 2.0}]}},
        "growth": {
            "loads": [
                {"leads": leads, "target": "postgres", "load": load, "megabytes": 50, "seconds": leads / 1e4}
                for leads in (1_000, 100_000)
                for load in ("first", "second")
            ]
        },
        "imports": {"milliseconds": [40.0, 20.0, 30.0]},
    }  # fmt: skip


def test_the_server_gives_every_lead_once_and_links_its_pages() -> None:
    with serving(250, [0.0]) as urls:
        url, ids = f"{urls[0.0]}/api/leads/?page_size=100", []
        while url:
            page = requests.get(url, timeout=10).json()
            assert page["count"] == 250
            ids += [lead["id"] for lead in page["results"]]
            url = page["next"]
        assert ids == list(range(FIRST_ID, FIRST_ID + 250))
        assert requests.get(f"{urls[0.0]}/api/leads/?page=4&page_size=100", timeout=10).status_code == 404


def test_ways_of_our_own_read_and_load_all_leads_and_a_second_load_changes_nothing(tmp_path: Path) -> None:
    environments = Environments(tmp_path, own=True)
    with scratch() as folder, serving(300, [0.0]) as urls:
        order = {
            "url": urls[0.0], "token": TOKEN, "page_size": 100, "concurrency": 2, "table": "leads",
            "duckdb": f"{folder}/ours.duckdb", "prepared": f"{folder}/prepared",
        }  # fmt: skip
        assert environments.run("read_raw", order, folder)["requests"] == 3
        assert environments.run("prepare", order, folder)["leads"] == 300
        first, second = (environments.run("load_sela", order, folder) for _ in range(2))
        third = environments.run("load_sela", {**order, "token": LATER}, folder)
        limit = environments.run("limit_sela", {**order, "duckdb": f"{folder}/limit.duckdb"}, folder)
    assert (first["new"], second["new"], second["changed"], second["unchanged"]) == (300, 0, 0, 300)
    assert (third["new"], third["changed"], third["unchanged"]) == (0, 3, 297)
    assert first["verdict"] == "PROVEN(id)"
    assert limit["leads"] == 300
    assert all(each["seconds"] > 0 and each["peak"] > 0 for each in (first, second, limit))


def test_a_way_asks_for_no_driver_of_a_database_that_it_does_not_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps({"conn_type": "sela"}))
    code = """
import sys
drivers = ["jaydebeapi", "jpype", "MySQLdb", "psycopg", "pyodbc", "snowflake.connector"]
sys.modules.update(dict.fromkeys(drivers))
from benchmarks.ways.ours import come_up
come_up(None)
print("airflow_provider_sela.warehouse.landing" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr


def test_a_peer_that_reads_too_few_leads_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = Environments(tmp_path, own=True)
    monkeypatch.setattr(Environments, "run", lambda *_: {"leads": 9, "seconds": 1.0, "cpu": 1.0, "peak": 1.0})
    with pytest.raises(RuntimeError, match="9 of 10 leads"):
        Suite(Scale(leads=10, rounds=1), environments).reading()


def test_second_loads_follow_the_first_into_its_table_and_those_of_peers_are_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[tuple[str, str, str]] = []

    def run(_: Environments, way: str, order: dict[str, Any], folder: str) -> dict[str, Any]:
        runs.append((way, order["table"], order["token"]))
        return {"leads": 10, "seconds": 1.0, "cpu": 1.0, "peak": 1.0}

    monkeypatch.setattr(Environments, "run", run)
    found = Suite(Scale(leads=10, many_rounds=2), Environments(tmp_path, own=True)).loading_duckdb()["ways"]
    for number in (0, 1):
        table = f"load_sela{number}"
        assert [token for _, place, token in runs if place == table] == [TOKEN, TOKEN, LATER]
    assert [place for way, place, _ in runs if way == "load_dlt_duckdb"] == [
        "load_dlt_duckdb0", "load_dlt_duckdb0", "load_dlt_duckdb1",
    ]  # fmt: skip
    assert len(found["unchanged"]["runs"]) == len(found["changed"]["runs"]) == 2
    assert len(found["load_dlt_duckdb_again"]["runs"]) == 1


def test_a_way_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="read_raw failed"):
        Environments(tmp_path, own=True).run("read_raw", {"url": "http://127.0.0.1:1", "token": ""}, "/tmp")  # noqa: S108


def test_every_step_of_a_load_takes_time() -> None:
    found = steps.measure(2_000)
    assert len(found) == 7
    assert min(found.values()) > 0


def test_goals_are_ratios_within_one_run_and_say_whether_they_were_met(results: dict[str, Any]) -> None:
    found = {(goal.number, goal.text): goal for goal in goals(results)}
    over = found[1, "verified read, 100 a page, 50 ms: time over a raw download"]
    assert (over.measured, over.met) == (2.0, False)
    assert found[4, "unchanged second load, PostgreSQL: rows touched"].met
    assert found[4, "unchanged second load, PostgreSQL: time over the first"].measured == 3
    changed = "second load, 1 % changed, PostgreSQL: times as fast as one that types every lead"
    assert (found[4, changed].limit, found[4, changed].met) == (2, False)
    for load in ("first", "second"):
        assert found[5, f"memory above the interpreter, {load} load of 100,000 leads into postgres"].met
    assert (
        found[6, "time per lead from the shortest to the longest list, into postgres: growth"].measured == 1
    )
    assert found[7, "imports of a DAG file beyond Airflow's own"].measured == 30


def test_tables_go_between_their_markers_and_nothing_else_changes(
    results: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- goals -->\nold\n<!-- /goals -->\nafter\n<!-- reading -->\nkept\n<!-- /reading -->\n"
    )
    write_docs(results, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- goals -->\n| ")
    assert "old" not in text
    assert "after\n<!-- reading -->\nkept\n" in text


def test_the_page_has_a_marker_for_every_table(results: dict[str, Any]) -> None:
    text = (REPOSITORY / "docs" / "performance.md").read_text()
    for name in tables(results):
        assert f"<!-- {name} -->\n" in text
        assert f"<!-- /{name} -->" in text


def test_every_group_gets_a_plot(results: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(results, tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {
        "reading_with_latency",
        "loading_postgres",
        "growth",
    }
    assert NAMES["read_sela"] in (tmp_path / "reading_with_latency.svg").read_text()
