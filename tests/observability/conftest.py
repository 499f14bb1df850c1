from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi, sample_leads
from tests.conftest import REPOSITORY
from tests.observability.listening import StatsD
from tests.support.databases import DuckDB

PLANTED = "planted-5f2b"


@dataclass
class Reports:
    """What a run of ``reporting_dag.py`` left in each place that it reports to."""

    api: SelaApi
    folder: Path
    states: dict[str, str]
    asset_events: dict[str, Any]
    lineage: list[dict[str, Any]]
    statistics: list[str]
    output: str

    def event(self, task_id: str, kind: str = "COMPLETE") -> dict[str, Any]:
        """The OpenLineage event with which a task ended."""
        (found,) = [
            event
            for event in self.lineage
            if event["job"]["name"] == f"reporting.{task_id}" and event["eventType"] == kind
        ]
        return found


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    """One run of all tasks in a real Airflow, with OpenLineage and StatsD on."""
    pytest.importorskip("airflow.providers.openlineage")
    folder = tmp_path_factory.mktemp("reports")
    warehouse = DuckDB(folder)
    warehouse.run("CREATE TABLE refused (id BIGINT, status_reason VARCHAR UNIQUE)")
    leads = [
        {**lead, "email": f"{PLANTED}-{lead['id']}@example.com", "status_reason": PLANTED}
        for lead in sample_leads(250)
    ]
    with (
        SelaApi(leads=leads, page_size=20, max_page_size=100, token=f"token-{PLANTED}") as api,
        StatsD() as statsd,
    ):
        api.answer_next(429, headers={"Retry-After": "0.3"})
        program = Path(__file__).with_name("reporting_dag.py")
        done = subprocess.run(
            [sys.executable, str(program), str(folder)],
            env={
                **os.environ,
                "AIRFLOW_HOME": str(folder / "home"),
                "AIRFLOW__CORE__DAGS_FOLDER": str(program.parent),
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
                "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
                "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                    {"type": "file", "log_file_path": str(folder / "lineage.json"), "append": True}
                ),
                "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
                "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse.connection),
                "PYTHONPATH": str(REPOSITORY),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        lines = (done.stdout + done.stderr).split("\n")
        told = [line for line in lines if line.startswith("TOLD ")]
        assert told, "\n".join(lines[-60:])
        # A process that says something at the same time can do so on the same line.
        facts, _ = json.JSONDecoder().raw_decode(told[0].removeprefix("TOLD "))
        yield Reports(
            api=api,
            folder=folder,
            states=facts["states"],
            asset_events=facts["events"],
            lineage=[json.loads(line) for line in (folder / "lineage.json").read_text().splitlines()],
            statistics=statsd.received(),
            output="\n".join(lines),
        )
