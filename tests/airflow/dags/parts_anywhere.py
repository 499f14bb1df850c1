"""A read in parts whose tasks run anywhere: parts in object storage, the table on a server."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

with DAG("parts_anywhere", schedule=None, default_args={"retries": 3, "retry_delay": timedelta(0)}):
    plan = SelaPlanPartsOperator(task_id="plan", path="s3://storage@sela/parts", max_parts=4)
    read = SelaReadPartOperator.partial(task_id="read").expand(part=plan.output)
    SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads", parts=read.output)
