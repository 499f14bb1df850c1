"""Tasks as a run has them: each value came by a template."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG


def rendered(kind: Any, *, native: bool = True, **arguments: Any) -> Any:
    """A task whose templated parameters are templates that Airflow has rendered.

    :param kind: class of the task.
    :param native: whether values keep their type; otherwise Jinja makes a text of each.
    """
    values = {name: value for name, value in arguments.items() if name in kind.template_fields}
    templates = {name: f"{{{{ params.{name} }}}}" for name in values}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("rendered", schedule=None, start_date=start, render_template_as_native_obj=native):
        task = kind(**{"task_id": "task", **arguments, **templates})
    context: Any = {"params": values}
    task.render_template_fields(context)
    return task
