"""Runs an example DAG in a real Airflow, in this process."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pendulum


def run(name: str, **conf: Any) -> Any:
    """Run the DAG of ``example_dags/<name>.py`` once with ``conf``; gives its finished DAG run."""
    dag = importlib.import_module(f"example_dags.{name}").dag
    # Airflow 2 calls the logical date by its old name.
    date = "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"
    return dag.test(**{date: pendulum.now("UTC")}, run_conf=conf)


def last_event(uri: str) -> Any:
    """What the last event of an asset tells."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        told = [
            event.extra
            for event in session.query(AssetEvent).order_by(AssetEvent.id)
            if event.asset.uri == uri
        ]
    return told[-1]


def state(dag_run: Any) -> str:
    """The DAG run's state in one spelling for every Airflow."""
    return str(getattr(dag_run.state, "value", dag_run.state))
