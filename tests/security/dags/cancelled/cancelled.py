"""A DAG whose one task loads leads for longer than it may; run as a script, it runs once.

``SELA_TEST_KIND`` is ``file`` or ``table``, ``SELA_TEST_SECONDS`` the task's ``execution_timeout``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

with DAG("cancelled", schedule=None) as dag:
    arguments: dict[str, Any] = {
        "task_id": "load",
        "page_size": 5,
        "execution_timeout": timedelta(seconds=float(os.environ["SELA_TEST_SECONDS"])),
    }
    if os.environ["SELA_TEST_KIND"] == "file":
        SelaLeadsOperator(path=f"{os.environ['SELA_TEST_FOLDER']}/leads.parquet", **arguments)
    else:
        SelaLeadsToSqlOperator(conn_id="target", table="leads", **arguments)

if __name__ == "__main__":
    from airflow.utils.db import initdb

    initdb()
    run = dag.test()
    print("STATE", *(str(ti.state) for ti in run.get_task_instances()))
