"""Two DAGs of one schedule append to one table, each by two mapped tasks; prints the ids of their runs."""

from __future__ import annotations

import inspect

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

START = pendulum.datetime(2026, 1, 1, tz="UTC")


def make(dag_id: str, numbers: list[int]) -> DAG:
    with DAG(dag_id, schedule=None, start_date=START) as dag:
        SelaLeadsToSqlOperator.partial(
            task_id="load", conn_id="warehouse", table="leads", mode="append", max_active_tis_per_dagrun=1
        ).expand(external_id=[f"id_in_your_crm_{number}" for number in numbers])
    return dag


first = make("first", [28_001, 28_002])
second = make("second", [28_002, 28_003])

if __name__ == "__main__":
    from airflow.utils.db import initdb

    initdb()
    # What a run id is made of, by the names that this version of Airflow gives it.
    dates = {"run_after", "logical_date", "execution_date"} & inspect.signature(first.test).parameters.keys()
    for dag in (first, second, second):
        run = dag.test(**dict.fromkeys(dates, START))
        print("RUN", run.run_id, getattr(run.state, "value", run.state))
