"""What a task's context says of its run."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Context

from airflow_provider_sela.warehouse.tables import TaskRun


def task_run_of(context: Context) -> TaskRun | None:
    """The run of a task that a context belongs to; None outside of Airflow."""
    ti = context.get("ti")
    return None if ti is None else TaskRun(ti.run_id, ti.dag_id, ti.task_id, ti.map_index)


def attempt_of(context: Context) -> tuple[str | None, int]:
    """What attempts of this task run have in common, as part of a file name, and the number of this one."""
    task_run = task_run_of(context)
    return (None, 1) if task_run is None else (task_run.load_id[:12], context["ti"].try_number)
