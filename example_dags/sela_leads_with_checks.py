"""Land every lead hourly, then check columns of the table: what follows in the DAG waits for the checks.

A load that may lack leads fails and lands nothing, so no check is needed for that. These are of the values:
each ``id`` is there once, a time that came malformed is told (it is NULL, and ``extra`` has its raw form), so
are many new words for ``status``. The load is committed when they run.

Connections: ``sela_default`` (type Sela), ``duckdb_default`` (type DuckDB, Host = path of the database file).
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator

from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

with DAG(
    "sela_leads_with_checks",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["sela"],
    doc_md=__doc__,
) as dag:
    land_leads = SelaLeadsToSqlOperator(
        task_id="land_leads",
        conn_id="duckdb_default",
        table="leads",
        inlets=[Asset("sela://api.trysela.com/leads")],
        outlets=[Asset("x-duckdb://duckdb_default/leads")],
    )
    check_columns = SQLColumnCheckOperator(
        task_id="check_columns",
        conn_id="duckdb_default",
        table="leads",
        partition_clause="_sela_deleted_at IS NULL",
        column_mapping={
            "id": {"null_check": {"equal_to": 0}, "unique_check": {"equal_to": 0}},
            "modified_time": {"null_check": {"equal_to": 0}},
            "status": {"distinct_check": {"leq_to": 15}},
        },
    )
    land_leads >> check_columns
