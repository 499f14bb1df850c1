"""Land leads as soon as new ones appear: an asset is watched, and its events start the DAG (Airflow 3.0+).

Only the new leads are read where the list's order shows them; once a day the load reads everything, so that
changes to older leads come too.

One triggerer asks Sela once a minute; no worker is busy and no run is made while nothing happens. On Airflow
2.11, which has no watchers, the same DAG runs every ten minutes.

Connections: ``sela_default`` (type Sela), ``duckdb_default`` (type DuckDB, Host = path of the database file).
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

schedule: Any
try:
    from airflow.sdk import AssetWatcher
except ImportError:
    schedule = "*/10 * * * *"
else:
    from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger

    watcher = AssetWatcher(name="new_sela_leads", trigger=SelaLeadsEventTrigger(poll_interval=60))
    schedule = [Asset("sela_new_leads", watchers=[watcher])]

with DAG(
    "sela_new_leads_event",
    schedule=schedule,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["sela"],
    doc_md=__doc__,
) as dag:
    SelaLeadsToSqlOperator(
        task_id="land_leads",
        conn_id="duckdb_default",
        table="leads",
        read="new",
        inlets=[Asset("sela://api.trysela.com/leads")],
        outlets=[Asset("x-duckdb://duckdb_default/leads")],
    )
