"""A read in parts as users write it, with a task in its middle that loses one of the parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

LEADS: dict[str, Any] = {"exclude_fields": ["email"]}


@task
def lose(parts: Sequence[dict[str, Any]]) -> None:
    """Remove the file of a part, as a lifecycle rule of the storage would."""
    part = parts[1]
    (Path(part["folder"]) / f"part-{part['part']:04}.jsonl.gz").unlink()


with DAG(
    "in_parts",
    schedule=None,
    params={"path": ""},
    default_args={"retries": 1, "retry_delay": timedelta(0)},
):
    plan = SelaPlanPartsOperator(task_id="plan", path="{{ params.path }}", max_parts=4, **LEADS)
    read = SelaReadPartOperator.partial(task_id="read", **LEADS).expand(part=plan.output)
    land = SelaLeadsToSqlOperator(
        task_id="land", conn_id="warehouse", table="leads", parts=read.output, **LEADS
    )
    lose(read.output) >> land
