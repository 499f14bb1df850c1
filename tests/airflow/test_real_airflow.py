"""Sensors and watchers under a real scheduler and a real triggerer, restarted in the middle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.triggers.events_trigger import STORE_AFTER_SECONDS
from tests.airflow.services import Services, until
from tests.triggers.waits import Reversed, lead

pytest.importorskip("airflow.sdk", reason="the components have other names in Airflow 2")
pytestmark = pytest.mark.airflow

MODES = ("poke", "reschedule", "deferrable", "direct")
#: On a busy machine the scheduler needs this long to hear that a task has deferred; a task that goes on
#: before that is taken for lost and retried, which is Airflow's affair and not tested here.
SCHEDULER_LOOP = 10
FINISHED = {"success", "failed", "skipped", "upstream_failed"}


class World:
    """Airflow, and two accounts at Sela."""

    def __init__(self, airflow: Services, api: SelaApi, revoked: SelaApi) -> None:
        self.airflow, self.api, self.revoked = airflow, api, revoked

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {name: task["state"] for name, task in self.airflow.tasks(dag_id, run_id).items()}

    def finish(self, dag_id: str, run_id: str, seconds: float = 90) -> dict[str, dict[str, Any]]:
        until(lambda: set(self.states(dag_id, run_id).values()) <= FINISHED, seconds)
        return self.airflow.tasks(dag_id, run_id)

    def reported(self) -> list[int]:
        """Ids in all asset events, in the order of the events."""
        events = self.airflow.get("assets/events?order_by=timestamp&limit=100")["asset_events"]
        return [number for event in events for number in event["extra"]["payload"]["ids"]]

    def landed(self) -> list[int]:
        """Ids that runs of the event-driven DAG got."""
        runs = self.airflow.get("dags/lands/dagRuns?limit=100")["dag_runs"]
        return [
            number
            for run in runs
            if run["state"] == "success"
            for number in self.airflow.xcom("lands", run["dag_run_id"], "ids")
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One Airflow for all scenarios: it takes half a minute to start."""
    home = tmp_path_factory.mktemp("airflow")
    with Reversed(leads=250) as api, SelaApi(leads=3, token="revoked-soon") as revoked:
        connections = {
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
            "AIRFLOW_CONN_SELA_REVOKED": json.dumps(revoked.connection),
        }
        with Services(home, Path(__file__).parent / "dags", connections) as airflow:
            for dag_id in ("waits", "ends", "lands"):
                airflow.unpause(dag_id)
            # Only the watcher asks for the whole list.
            until(lambda: any("external_id" not in request.query for request in api.requests), 90)
            yield World(airflow, api, revoked)


def test_all_modes_wait_for_the_same_lead_and_give_the_same(world: World) -> None:
    run = world.airflow.trigger("waits")
    waiting = {"found_poke": "running", "found_reschedule": "up_for_reschedule"}
    waiting |= {"found_deferrable": "deferred", "found_direct": "deferred"}
    until(lambda: world.states("waits", run) == waiting, 90)
    time.sleep(SCHEDULER_LOOP)
    for number in (70_001, 70_000):
        world.api.add(lead(number, external_id="found"))
    tasks = world.finish("waits", run)
    assert {task["state"] for task in tasks.values()} == {"success"}
    given = [world.airflow.xcom("waits", run, f"found_{mode}") for mode in MODES]
    assert given == [world.api.leads[70_001]] * 4
    assert world.airflow.logs().count("UTC for a lead with this external_id: none is there") >= len(MODES)
    ids = [world.airflow.xcom("waits", run, f"found_{mode}", "lead_ids") for mode in MODES]
    assert ids == [[70_000, 70_001]] * 4


def test_time_outs_a_revoked_token_and_a_restart_end_as_promised(world: World) -> None:
    run = world.airflow.trigger("ends")
    until(lambda: world.states("ends", run)["revoked"] == "deferred", 90)
    until(lambda: world.states("ends", run)["restart"] == "deferred", 90)
    time.sleep(SCHEDULER_LOOP)
    world.revoked.token = "another"
    until(lambda: world.states("ends", run)["revoked"] in FINISHED, 60)

    until(lambda: sorted(world.reported()) == [70_000, 70_001], 60)
    # What was reported is stored only after a while; a restart before that would report it again.
    time.sleep(STORE_AFTER_SECONDS * 1.1 + 2)
    world.airflow.stop("triggerer")
    missed = [world.api.add()["id"] for _ in range(3)]
    world.api.add(lead(80_000, external_id="restart"))
    assert world.states("ends", run)["restart"] == "deferred"
    world.airflow.start("triggerer")

    tasks = world.finish("ends", run)
    assert {name: task["state"] for name, task in tasks.items()} == {
        "restart": "success",
        "timeout": "failed",
        "timeout_soft": "skipped",
        "revoked": "failed",
    }
    assert {task["try_number"] for task in tasks.values()} == {1}
    assert world.airflow.xcom("ends", run, "restart")["id"] == 80_000
    assert 20 <= _seconds(tasks["timeout"]) < 20 + 10
    logs = world.airflow.logs()
    assert "still waiting after 10 looks until" in logs
    assert "Sensor has timed out: no such lead within 20" in logs

    expected = sorted([70_000, 70_001, *missed, 80_000])
    until(lambda: len(world.reported()) >= len(expected), 60)
    until(lambda: sorted(world.landed()) == expected, 60)
    assert sorted(world.reported()) == expected


def test_no_log_of_any_component_has_the_token_or_a_field_of_a_lead(world: World) -> None:
    logs = world.airflow.logs()
    assert "found" in logs
    for number in (70_000, 70_001, 80_000):
        one = world.api.leads[number]
        for secret in (one["email"], one["phone_number"], world.api.token, "revoked-soon"):
            assert secret not in logs


def _seconds(task: dict[str, Any]) -> float:
    ended, started = (datetime.fromisoformat(task[name]) for name in ("end_date", "start_date"))
    return (ended - started).total_seconds()
