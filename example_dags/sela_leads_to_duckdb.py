"""Land every lead in a DuckDB table, hourly: one row per lead, typed, only changed rows touched.

Connections: ``sela_default`` (type Sela), ``duckdb_default`` (type DuckDB, Host = path of the database file).
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

with DAG(
    "sela_leads_to_duckdb",
    schedule="@hourly",
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
        inlets=[Asset("sela://api.trysela.com/leads")],
        outlets=[Asset("x-duckdb://duckdb_default/leads")],
    )
