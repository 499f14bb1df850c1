"""Write every lead to Parquet in object storage, daily, and let Snowflake copy the file from its stage.

For warehouses that may be loaded from a stage only; where Airflow may write to Snowflake itself,
``SelaLeadsToSqlOperator(conn_id="snowflake_default", …)`` keeps one row for each lead and needs no stage.

Each day's file is a snapshot of all leads. It is copied only if its verdict is a proof that no lead is
missing; on a day without one, nothing is copied and the day before stays the newest. COPY appends, and skips
a file that it has copied already, so a rerun adds nothing unless leads have changed. ``source_file`` tells
the snapshots apart::

    CREATE STAGE sela_leads URL = 's3://my-bucket/sela/' STORAGE_INTEGRATION = …;
    CREATE TABLE raw.sela_leads (id NUMBER, email TEXT, …, source_file TEXT);

Connections: ``sela_default`` (type Sela), ``my_aws`` (type AWS), ``snowflake_default`` (type Snowflake).
Without ``apache-airflow-providers-snowflake`` there is no DAG in this file.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_sela.operators.leads import SelaLeadsOperator

try:
    from airflow.providers.snowflake.transfers.copy_into_snowflake import (
        CopyFromExternalStageToSnowflakeOperator as CopyOperator,
    )
except ImportError:
    CopyOperator = None


@task.short_circuit  # type: ignore[untyped-decorator]
def is_proven(written: dict[str, Any]) -> bool:
    """Whether a lead's absence from the file means that there is none."""
    return str(written["verdict"]).startswith(("ATOMIC", "PROVEN"))


if CopyOperator is not None:
    with DAG(
        "sela_leads_to_snowflake",
        schedule="@daily",
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        tags=["sela"],
        doc_md=__doc__,
    ) as dag:
        write_leads = SelaLeadsOperator(
            task_id="write_leads", path="s3://my_aws@my-bucket/sela/{{ ts_nodash }}/leads.parquet"
        )
        copy_leads = CopyOperator(
            task_id="copy_leads",
            snowflake_conn_id="snowflake_default",
            schema="raw",
            table="sela_leads",
            stage="raw.sela_leads",
            files=["{{ ts_nodash }}/leads.parquet"],
            file_format="(TYPE = PARQUET, USE_LOGICAL_TYPE = TRUE)",
            copy_options=(
                "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (source_file = METADATA$FILENAME)"
            ),
        )
        is_proven(write_leads.output) >> copy_leads
