"""Every condition in every mode, run by ``dag.test()``: prints what became of each task as JSON.

A script of its own, because Airflow wants to know the folder of the DAG file before it is imported.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
if __name__ == "__main__":
    os.environ |= {
        "AIRFLOW_HOME": tempfile.mkdtemp(prefix="sela-outcomes-"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "no_proxy": "*",
    }
    sys.path.insert(0, str(FOLDER.parents[2]))

from airflow.providers.common.compat.sdk import DAG  # noqa: E402

from airflow_provider_sela.sensors.leads import SelaLeadSensor  # noqa: E402
from airflow_provider_sela.testing import SelaApi, sample_lead  # noqa: E402

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}
CONDITIONS: dict[str, dict[str, Any]] = {
    "there": {},
    "later": {},
    "blips": {},
    "timeout": {"timeout": 2},
    "timeout_soft_fail": {"timeout": 2, "soft_fail": True},
    "token": {},
    "token_soft_fail": {"soft_fail": True},
    "token_later_soft_fail": {"soft_fail": True},
    "down": {"max_failures": 2},
    "down_soft_fail": {"max_failures": 2, "soft_fail": True},
    "empty": {},
}


class Later(SelaApi):
    """The lead is there from the third look on."""

    def select(self, filters: dict[str, str]) -> Any:
        return super().select(filters) if len(self.requests) > 2 else []


class Revoked(SelaApi):
    """The token is revoked from the second look on."""

    def select(self, filters: dict[str, str]) -> Any:
        self.token = "another"
        return []


def server(condition: str) -> SelaApi:
    """The API under this condition."""
    wanted = {**sample_lead(7), "external_id": "wanted"}
    kind = {"later": Later, "token_later_soft_fail": Revoked}.get(condition, SelaApi)
    leads = [sample_lead(1)] if condition.startswith("timeout") else [sample_lead(1), wanted]
    api = kind(leads=leads)
    if condition == "blips":
        api.answer_next(503)
        api.answer_next(429)
    elif condition.startswith("down"):
        api.answer_next(503, times=1000)
    return api


with DAG("outcomes", schedule=None) as dag:
    for _condition, _arguments in CONDITIONS.items():
        for _mode, _how in MODES.items():
            SelaLeadSensor(
                task_id=f"{_condition}.{_mode}",
                external_id="{{ '' }}" if _condition == "empty" else "wanted",
                sela_conn_id=f"{_condition}_{_mode}",
                retries=1,
                retry_delay=timedelta(0),
                **{"poke_interval": 0.5, "timeout": 900, **_arguments, **_how},
            )


def main() -> None:
    """Run them all and print states, XComs and tries."""
    from airflow.utils.db import initdb

    initdb()
    with ExitStack() as stack:
        for condition in CONDITIONS:
            for mode in MODES:
                api = stack.enter_context(server(condition))
                token = "wrong" if condition in ("token", "token_soft_fail") else api.token
                connection = json.dumps({**api.connection, "password": token})
                os.environ[f"AIRFLOW_CONN_{condition}_{mode}".upper()] = connection
        run = dag.test()
        found = {}
        for task in run.get_task_instances():
            lead = task.xcom_pull(task_ids=task.task_id) if task.state == "success" else None
            found[task.task_id] = {
                "state": str(task.state),
                "tries": task.try_number,
                "lead": (lead or {}).get("id"),
            }
    print("OUTCOMES", json.dumps(found))


if __name__ == "__main__":
    main()
