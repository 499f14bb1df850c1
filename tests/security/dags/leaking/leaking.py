"""DAGs in which everything happens that could show a secret; ``python leaking.py DAG`` runs one of them once.

``quiet`` returns no lead as XCom, so that Airflow has no reason to log one at any level; ``returning`` does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

FOLDER = os.environ["SELA_TEST_FOLDER"]

with DAG("quiet", schedule=None) as quiet:
    SelaLeadsToSqlOperator(task_id="table", conn_id="duckdb", table="leads", outlets=[Asset("sela_leads")])
    SelaLeadsToSqlOperator(task_id="history", conn_id="sqlite", table="versions", mode="history")
    SelaLeadsToSqlOperator(
        task_id="hashed", conn_id="duckdb_2", table="leads", hash_fields=["email"], salt_conn_id="salt"
    )
    SelaLeadsToSqlOperator(task_id="row_refused", conn_id="unique", table="leads")
    SelaLeadsOperator(task_id="file", path=f"{FOLDER}/leads.csv.gz")
    SelaLeadsOperator(task_id="file_refused", path=f"{FOLDER}/leads.db/leads.parquet")
    for _fault in ("echo_401", "echo_500", "half_a_page", "redirect"):
        SelaLeadsToSqlOperator(task_id=_fault, conn_id="duckdb", table="leads", sela_conn_id=_fault)
        SelaLeadSensor(
            task_id=f"wait_{_fault}",
            external_id="author",
            sela_conn_id=_fault,
            deferrable=True,
            max_failures=0,
        )

with DAG("returning", schedule=None) as returning:
    SelaLeadSensor(task_id="wait", external_id="author", deferrable=True)
    SelaLeadsOperator(task_id="to_xcom", external_id="author")


def main(name: str) -> None:
    """Run a DAG with the loggers of all libraries wide open."""
    from airflow.utils.db import initdb

    for library in ("urllib3", "httpx", "httpcore", "asyncio", "requests", "duckdb", "fsspec"):
        logging.getLogger(library).setLevel(logging.DEBUG)
    initdb()
    run = {"quiet": quiet, "returning": returning}[name].test()
    asyncio.run(SelaHook().afind_leads("author"))
    print("STATES", json.dumps({ti.task_id: str(ti.state) for ti in run.get_task_instances()}))


if __name__ == "__main__":
    main(sys.argv[1])
