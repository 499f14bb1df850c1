"""What one would write without this package, run by the Python of an environment that has what it takes.

Usage: ``python peers.py WAY JSON``, with ``url``, ``token``, ``page_size`` and, to load, ``postgres``
(keyword arguments of a psycopg2 connection) or ``duckdb`` (a path), and ``folder`` for what a library leaves
behind.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

Order = dict[str, Any]
Row = dict[str, Any]
PATH = "/api/leads/"
COLUMNS = (
    "id", "email", "phone_number", "metadata", "modified_time", "created_time", "status", "status_reason",
    "lead_source", "lead_type", "next_call_time", "next_call_time_reason", "external_id", "us_state",
    "received_time", "reengagements_count", "last_reengagement_time", "call_schedule_start_time", "sms_dnc",
    "call_dnc",
)  # fmt: skip
_TYPES = {"id": "bigint PRIMARY KEY", "lead_type": "bigint", "reengagements_count": "bigint"}
_TYPES |= {"metadata": "jsonb", "sms_dnc": "boolean", "call_dnc": "boolean"}
# Else dlt makes columns and tables of what metadata holds.
_ONE_TABLE: Row = {"metadata": {"data_type": "json"}}


def requests_pages(order: Order) -> Iterator[list[Row]]:
    """A loop with ``requests``, one session, page after page."""
    import requests

    with requests.Session() as session:
        session.headers["Authorization"] = f"Token {order['token']}"
        url = f"{order['url']}{PATH}?page_size={order['page_size']}"
        while url:
            page = session.get(url, timeout=60).json()
            yield page["results"]
            url = page["next"]


def read_requests(order: Order) -> int:
    return sum(map(len, requests_pages(order)))


def load_pandas_postgres(order: Order) -> int:
    """The loop, a frame, and ``to_sql``: no merge, the table is replaced."""
    import pandas
    import sqlalchemy

    rows = [row for page in requests_pages(order) for row in page]
    frame = pandas.DataFrame(rows)
    frame["metadata"] = frame["metadata"].map(json.dumps)
    target = order["postgres"]
    engine = sqlalchemy.create_engine(
        f"postgresql+psycopg2://{target['user']}@{target['host']}:{target['port']}/{target['dbname']}"
    )
    frame.to_sql("pandas_leads", engine, if_exists="replace", index=False, method="multi", chunksize=1000)
    return len(rows)


def load_pandas_duckdb(order: Order) -> int:
    """The loop, a frame, and DuckDB's own way to read a frame: no merge, the table is replaced."""
    import duckdb
    import pandas

    rows = [row for page in requests_pages(order) for row in page]
    frame = pandas.DataFrame(rows)
    frame["metadata"] = frame["metadata"].map(json.dumps)
    with duckdb.connect(order["duckdb"]) as connection:
        connection.register("frame", frame)
        connection.execute("CREATE OR REPLACE TABLE leads AS SELECT * FROM frame")
    return len(rows)


def _operator(order: Order) -> Any:
    """Airflow's HttpOperator, with the pagination that its documentation shows."""
    os.environ["AIRFLOW_CONN_SELA_HTTP"] = json.dumps({"conn_type": "http", "host": order["url"]})
    from airflow.providers.http.operators.http import HttpOperator

    def following(response: Any) -> dict[str, Any] | None:
        page = response.json()["next"]
        if page is None:
            return None
        number = int(page.partition("page=")[2].partition("&")[0])
        return {"data": {"page": number, "page_size": order["page_size"]}}

    return HttpOperator(
        task_id="read",
        http_conn_id="sela_http",
        endpoint=PATH,
        method="GET",
        headers={"Authorization": f"Token {order['token']}"},
        data={"page": 1, "page_size": order["page_size"]},
        pagination_function=following,
        response_filter=lambda responses: [row for page in responses for row in page.json()["results"]],
    )


def read_http(order: Order) -> int:
    return len(_operator(order).execute({}))


def load_http_postgres(order: Order) -> int:
    """HttpOperator, then ``insert_rows`` with ``replace`` of Airflow's PostgresHook, in one process."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    leads = _operator(order).execute({})
    hook = PostgresHook("target")
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in COLUMNS)
    hook.run(f"CREATE TABLE IF NOT EXISTS http_leads ({columns})")
    rows = (
        [json.dumps(lead[name]) if name == "metadata" else lead[name] for name in COLUMNS] for lead in leads
    )
    hook.insert_rows(
        "http_leads", rows, COLUMNS, commit_every=1000, replace=True, replace_index=["id"], executemany=True
    )
    return len(leads)


def _source(order: Order, columns: Row) -> Any:
    """dlt's REST source, as its documentation configures one.

    :param columns: types that dlt is told; of the others it makes up its mind.
    """
    from dlt.sources.rest_api import rest_api_source

    return rest_api_source(
        {
            "client": {
                "base_url": f"{order['url']}/api/",
                "headers": {"Authorization": f"Token {order['token']}"},
                "paginator": {"type": "json_link", "next_url_path": "next"},
            },
            "resources": [
                {
                    "name": "leads",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "columns": columns,
                    "endpoint": {
                        "path": "leads/",
                        "params": {"page_size": order["page_size"]},
                        "data_selector": "results",
                    },
                }
            ],
        }
    )


def _pipeline(order: Order, destination: Any) -> Any:
    import dlt

    return dlt.pipeline(
        "leads",
        destination=destination,
        dataset_name="dlt_leads",
        pipelines_dir=f"{order['folder']}/{time.time_ns()}",
    )


def read_dlt(order: Order) -> int:
    """Only the first of dlt's three steps."""
    import dlt

    pipeline = _pipeline(order, dlt.destinations.duckdb(f"{order['folder']}/unused.duckdb"))
    pipeline.extract(_source(order, _ONE_TABLE))
    metrics = pipeline.last_trace.last_extract_info.metrics
    tables = [each["table_metrics"] for steps in metrics.values() for each in steps]
    return sum(found["leads"].items_count for found in tables if "leads" in found)


def _run_dlt(order: Order, destination: Any, columns: Row, file_format: Any = None) -> int:
    pipeline = _pipeline(order, destination)
    pipeline.run(_source(order, columns), loader_file_format=file_format)
    # Its own row counts are of lines, and a text in a CSV file can have several.
    with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM leads") as found:
        return int(found.fetchone()[0])


def _dlt_postgres(order: Order) -> Any:
    import dlt

    target = order["postgres"]
    return dlt.destinations.postgres(
        f"postgresql://{target['user']}:none@{target['host']}:{target['port']}/{target['dbname']}"
    )


def load_dlt_postgres(order: Order) -> int:
    """Merge on id, the rest as dlt has it: INSERT statements, and tables of their own for nested lists."""
    return _run_dlt(order, _dlt_postgres(order), {})


def load_dlt_tuned_postgres(order: Order) -> int:
    """Merge on id, by the fastest of its file formats for PostgreSQL, with metadata in one column."""
    return _run_dlt(order, _dlt_postgres(order), _ONE_TABLE, "csv")


def load_dlt_duckdb(order: Order) -> int:
    """Merge on id, by the fastest of its file formats for DuckDB, with metadata in one column."""
    import dlt

    return _run_dlt(order, dlt.destinations.duckdb(order["duckdb"]), _ONE_TABLE, "parquet")


WAYS: dict[str, Callable[[Order], int]] = {
    way.__name__: way
    for way in (
        read_requests, read_http, read_dlt, load_pandas_postgres, load_pandas_duckdb, load_http_postgres,
        load_dlt_postgres, load_dlt_tuned_postgres, load_dlt_duckdb,
    )
}  # fmt: skip
#: What is imported before the clock starts: the time that a library takes to come up is not compared.
IMPORTS = {
    "requests": ("requests",),
    "pandas": ("requests", "pandas", "sqlalchemy", "duckdb"),
    "http": ("airflow.providers.http.operators.http", "airflow.providers.postgres.hooks.postgres"),
    "dlt": (
        "dlt", "dlt.sources.rest_api", "dlt.sources.helpers.requests", "dlt.destinations",
        "dlt.destinations.impl.duckdb.duck", "dlt.destinations.impl.postgres.postgres",
        "dlt.common.libs.pyarrow", "duckdb", "pyarrow.parquet",
    ),
}  # fmt: skip


def main(name: str, order: Order) -> None:
    """Run one way and print what it took."""
    peer = name.split("_")[1]
    for module in IMPORTS[peer]:
        import_module(module)
    if peer == "http":
        # What Airflow loads once in a process.
        import_module("airflow.providers.common.compat.lineage.hook").get_hook_lineage_collector()
    wall, cpu = time.perf_counter(), time.process_time()
    leads = WAYS[name](order)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print("\n" + json.dumps({"seconds": seconds, "cpu": cpu, "leads": leads, "peak": peak}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
