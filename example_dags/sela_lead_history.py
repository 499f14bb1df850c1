"""Keep every version of every lead, and tell from them how long leads stay in each status and where they go.

``mode="history"`` writes a row when a lead changes and none when it does not, so the table is as long as its
leads are lively. A version is valid from the load that first saw it to the load that saw the next one, or saw
that the lead was deleted: times are as fine as the schedule.

``lead_status_times`` has a row for each status and the one that followed (NULL: still there, or deleted): how
many leads went that way, and after how many hours on average.

Connections: ``sela_default`` (type Sela), ``duckdb_default`` (type DuckDB, Host = path of the database file).
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

# Consecutive versions with the same status are one stay: something else about the lead had changed.
STATUS_TIMES = """
CREATE OR REPLACE TABLE lead_status_times AS
WITH versions AS (
    SELECT id, status, _sela_valid_from AS since, _sela_valid_to AS until,
           lag(status) OVER (PARTITION BY id ORDER BY _sela_valid_from) AS earlier
    FROM lead_history
), numbered AS (
    SELECT *, count(*) FILTER (WHERE earlier IS DISTINCT FROM status)
                  OVER (PARTITION BY id ORDER BY since) AS stay
    FROM versions
), stays AS (
    SELECT id, stay, any_value(status) AS status, min(since) AS since,
           CASE WHEN count(*) = count(until) THEN max(until) ELSE current_timestamp END AS until
    FROM numbered
    GROUP BY id, stay
), moves AS (
    SELECT status, lead(status) OVER (PARTITION BY id ORDER BY stay) AS next_status,
           date_diff('second', since, until) / 3600 AS hours
    FROM stays
)
SELECT status, next_status, count(*) AS leads, avg(hours) AS hours
FROM moves
GROUP BY status, next_status
"""

with DAG(
    "sela_lead_history",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["sela"],
    doc_md=__doc__,
) as dag:
    land_versions = SelaLeadsToSqlOperator(
        task_id="land_versions",
        conn_id="duckdb_default",
        table="lead_history",
        mode="history",
        deletes="mark",
    )
    time_statuses = SQLExecuteQueryOperator(
        task_id="time_statuses", conn_id="duckdb_default", sql=STATUS_TIMES
    )
    land_versions >> time_statuses
