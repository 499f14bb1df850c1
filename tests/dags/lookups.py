"""Tasks whose connections are not there, or not to be had for a moment; prints what became of each as JSON.

A script of its own, because Airflow wants to know the folder of the DAG file before it is imported.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
if __name__ == "__main__":
    os.environ |= {
        "AIRFLOW_HOME": tempfile.mkdtemp(prefix="sela-lookups-"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "no_proxy": "*",
    }
    sys.path.insert(0, str(FOLDER.parents[1]))

from airflow.providers.common.compat.sdk import DAG  # noqa: E402

from airflow_provider_sela.operators.leads import SelaLeadsOperator  # noqa: E402
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator  # noqa: E402
from airflow_provider_sela.sensors.leads import SelaLeadSensor  # noqa: E402
from airflow_provider_sela.testing import SelaApi, sample_lead  # noqa: E402
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator  # noqa: E402


@contextmanager
def outage(context: Any) -> Iterator[None]:
    """During the first try, what Airflow keeps connections in is out of order."""
    if context["ti"].try_number > 1:
        yield
        return
    with closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"], "airflow.db"), timeout=60)) as database:
        database.execute("ALTER TABLE connection RENAME TO connection_away")
        try:
            yield
        finally:
            database.execute("ALTER TABLE connection_away RENAME TO connection")


class LeadsInAnOutage(SelaLeadsOperator):
    def load(self, context: Any) -> Any:
        with outage(context):
            return super().load(context)


class TableInAnOutage(SelaLeadsToSqlOperator):
    def load(self, context: Any) -> Any:
        with outage(context):
            return super().load(context)


class SensorInAnOutage(SelaLeadSensor):
    def poke(self, context: Any) -> Any:
        with outage(context):
            return super().poke(context)


with DAG(
    "lookups",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"retries": 1, "retry_delay": timedelta(0)},
) as dag:
    wait: dict[str, Any] = {"external_id": "wanted", "timeout": 900, "max_failures": 0}
    table: dict[str, Any] = {"conn_id": "target", "table": "leads"}
    salted: dict[str, Any] = {"hash_fields": ["email"], "salt_conn_id": "nowhere"}
    SelaLeadsOperator(task_id="leads.missing", sela_conn_id="nowhere", external_id="wanted")
    SelaLeadsOperator(task_id="salt.missing", external_id="wanted", **salted)
    SelaPlanPartsOperator(task_id="plan.missing", path="file:///parts", sela_conn_id="nowhere")
    SelaLeadsToSqlOperator(task_id="table.missing", **{**table, "conn_id": "nowhere"})
    SelaLeadSensor(task_id="sensor.missing", sela_conn_id="nowhere", **wait)
    SelaLeadSensor(task_id="deferred.missing", sela_conn_id="nowhere", deferrable=True, **wait)
    LeadsInAnOutage(task_id="leads.outage", external_id="wanted")
    LeadsInAnOutage(task_id="salt.outage", external_id="wanted", **{**salted, "salt_conn_id": "salt"})
    TableInAnOutage(task_id="table.outage", **table)
    SensorInAnOutage(task_id="sensor.outage", **wait)


def main() -> None:
    """Run them all and print states and tries."""
    from airflow.models.connection import Connection
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with SelaApi(leads=[{**sample_lead(7), "external_id": "wanted"}]) as api, create_session() as session:
        database = str(Path(os.environ["AIRFLOW_HOME"], "target.duckdb"))
        session.add(Connection("sela_default", "sela", host=api.url, password=api.token))
        session.add(Connection("salt", "generic", password="sixteen characters, and more"))
        session.add(Connection("target", "duckdb", host=database))
        session.commit()
        run = dag.test()
        found = {
            task.task_id: {"state": str(task.state), "tries": task.try_number}
            for task in run.get_task_instances()
        }
    print("OUTCOMES", json.dumps(found))


if __name__ == "__main__":
    main()
