"""A DAG that returns leads and writes them; ``python leads_dag.py FOLDER`` runs it and prints its XComs."""

from __future__ import annotations

import json
import sys

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sela.operators.leads import SelaLeadsOperator

with DAG(
    "leads",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"folder": "", "number": 0},
) as dag:
    SelaLeadsOperator(task_id="to_xcom", external_id="id_in_your_crm_{{ params.number }}")
    SelaLeadsOperator(
        task_id="to_file",
        path="{{ params.folder }}/{{ run_id | length }}/leads.csv.gz",
        sela_conn_id="{{ 'sela_' ~ 'default' }}",
    )
    SelaLeadsOperator(
        task_id="to_store",
        path="s3://sela/{{ dag.dag_id }}/{{ task.task_id }}.parquet",
        conn_id="{{ 'stor' ~ 'age' }}",
    )

if __name__ == "__main__":
    from airflow.utils.db import initdb

    initdb()
    run = dag.test(run_conf={"folder": sys.argv[1], "number": 28007})
    xcoms = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in run.get_task_instances()}
    print("XCOMS " + json.dumps({"state": str(run.state), "run_id": run.run_id, **xcoms}))
