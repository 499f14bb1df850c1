"""Submit, then wait: a lead was sent to Sela with an id of your own; wait until it is there, then land it.

Start it with the id: ``airflow dags trigger sela_wait_for_lead --conf '{"external_id": "your_crm_123"}'``.
The wait holds no worker slot. ``statuses=["CLOSED"]`` on the sensor would wait for the outcome of the calls.

Connections: ``sela_default`` (type Sela), ``duckdb_default`` (type DuckDB, Host = path of the database file).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Asset, Param

from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

with DAG(
    "sela_wait_for_lead",
    schedule=None,
    params={"external_id": Param("your_crm_123", type="string", minLength=1)},
    tags=["sela"],
    doc_md=__doc__,
) as dag:
    wait = SelaLeadSensor(
        task_id="wait_for_lead",
        external_id="{{ params.external_id }}",
        deferrable=True,
        poke_interval=60,
        timeout=timedelta(hours=6),
    )
    land = SelaLeadsToSqlOperator(
        task_id="land_lead",
        conn_id="duckdb_default",
        table="leads",
        external_id="{{ params.external_id }}",
        inlets=[Asset("sela://api.trysela.com/leads")],
        outlets=[Asset("x-duckdb://duckdb_default/leads")],
    )
    wait >> land
