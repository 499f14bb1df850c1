"""Land a long list of leads hourly, read by several workers at once: one plans, many read, one lands.

For lists that one task reads too slowly with as many connections as Sela allows; the verdict, the table and
the modes are the same. See docs/parts.md.

Connections: ``sela_default`` (type Sela), ``duckdb_default`` (type DuckDB, Host = path of the database file).
Folder: set ``path`` to one that all workers share, such as ``s3://my_aws@my-bucket/sela_parts``.
Pool: ``airflow pools set sela 4 "requests to Sela"``; as many tasks as it has slots ask Sela at a time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, Param

from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

# The same for all three tasks: connection, filters and privacy options.
leads: dict[str, Any] = {"sela_conn_id": "sela_default", "drop_metadata": ["ssn"]}

with DAG(
    "sela_leads_in_parts",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2), "pool": "sela"},
    params={"path": Param("s3://my_aws@my-bucket/sela_parts", type="string", minLength=1)},
    tags=["sela"],
    doc_md=__doc__,
) as dag:
    plan = SelaPlanPartsOperator(task_id="plan", path="{{ params.path }}", max_parts=16, **leads)
    read = SelaReadPartOperator.partial(task_id="read", **leads).expand(part=plan.output)
    land = SelaLeadsToSqlOperator(
        task_id="land",
        conn_id="duckdb_default",
        table="leads",
        parts=read.output,
        outlets=[Asset("x-duckdb://duckdb_default/leads")],
        **leads,
    )
