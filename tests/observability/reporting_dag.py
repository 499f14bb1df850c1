"""A DAG whose tasks report all that they can; ``python reporting_dag.py FOLDER`` runs it.

It prints the state of each task and the asset events that are in Airflow's database afterwards.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_sela.assets import create_asset
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

FOLDER = sys.argv[1] if __name__ == "__main__" else ""

with DAG("reporting", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
    leads = create_asset()
    to_sql = SelaLeadsToSqlOperator(
        task_id="to_sql",
        conn_id="warehouse",
        table="leads",
        inlets=[leads],
        outlets=[Asset("x-duckdb://warehouse/leads")],
    )
    to_file = SelaLeadsOperator(
        task_id="to_file", path=f"{FOLDER}/leads.parquet", outlets=[Asset("x-files://leads")]
    )
    to_xcom = SelaLeadsOperator(
        task_id="to_xcom", email="planted-5f2b-28000@example.com", outlets=[Asset("x-xcom://leads")]
    )
    refused = SelaLeadsToSqlOperator(task_id="refused", conn_id="warehouse", table="refused")

    @task  # type: ignore[untyped-decorator]
    def own() -> int:
        return sum(1 for _ in SelaHook().iter_leads())

    to_sql >> to_file >> to_xcom >> own() >> refused


def _initialize_stats() -> None:
    """As Airflow's task runner does where ``dag.test()`` does not."""
    try:
        from airflow.sdk.observability import stats
        from airflow.sdk.observability.metrics import stats_utils
    except ImportError:
        return
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


def _asset_events() -> dict[str, Any]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return {event.asset.uri: event.extra for event in session.query(AssetEvent)}


if __name__ == "__main__":
    from airflow.utils.db import initdb

    initdb()
    _initialize_stats()
    run = dag.test()
    states = {instance.task_id: str(instance.state) for instance in run.get_task_instances()}
    print("TOLD " + json.dumps({"states": states, "events": _asset_events()}))
