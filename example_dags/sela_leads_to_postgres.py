"""Land every lead in PostgreSQL, hourly, mark those that were deleted at Sela, and keep personal data out.

Addresses and numbers become salted hashes: they still join and count, and nobody can read them. Of
``metadata``, which holds whatever your own forms sent, two keys are kept.

Connections: ``sela_default`` (type Sela), ``postgres_default`` (type Postgres), ``sela_salt`` (any type,
Password = 16 characters or more that nobody knows).
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

with DAG(
    "sela_leads_to_postgres",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["sela"],
    doc_md=__doc__,
) as dag:
    SelaLeadsToSqlOperator(
        task_id="land_leads",
        conn_id="postgres_default",
        table="public.leads",
        deletes="mark",
        hash_fields=["email", "phone_number"],
        salt_conn_id="sela_salt",
        keep_metadata=["lead_source", "timezone"],
    )
