"""Write every lead to Parquet in Google Cloud Storage, daily, and let BigQuery load the file.

Each day's file is a snapshot of all leads, and BigQuery replaces the table by it in one step. It does so only
if the verdict is a proof that no lead is missing; on a day without one, the table stays as it was the day
before.

Connections: ``sela_default`` (type Sela), ``google_cloud_default`` (type Google Cloud; for the file too).
Without ``apache-airflow-providers-google`` there is no DAG in this file.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_sela.operators.leads import SelaLeadsOperator

try:
    from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator as LoadOperator
except ImportError:
    LoadOperator = None


@task.short_circuit  # type: ignore[untyped-decorator]
def is_proven(written: dict[str, Any]) -> bool:
    """Whether a lead's absence from the file means that there is none."""
    return str(written["verdict"]).startswith(("ATOMIC", "PROVEN"))


if LoadOperator is not None:
    with DAG(
        "sela_leads_to_bigquery",
        schedule="@daily",
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        tags=["sela"],
        doc_md=__doc__,
    ) as dag:
        write_leads = SelaLeadsOperator(
            task_id="write_leads",
            path="gs://google_cloud_default@my-bucket/sela/{{ ts_nodash }}/leads.parquet",
        )
        load_leads = LoadOperator(
            task_id="load_leads",
            gcp_conn_id="google_cloud_default",
            bucket="my-bucket",
            source_objects=["sela/{{ ts_nodash }}/leads.parquet"],
            source_format="PARQUET",
            destination_project_dataset_table="my-project.raw.sela_leads",
            autodetect=True,
            write_disposition="WRITE_TRUNCATE",
        )
        is_proven(write_leads.output) >> load_leads
