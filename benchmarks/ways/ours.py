"""What this package does, and the limits: a download that drops what it gets, and loads of prepared files.

Usage: ``python -m benchmarks.ways.ours WAY JSON``, with ``url``, ``token``, ``page_size``, ``concurrency``
and, to load, ``postgres`` or ``duckdb`` as for :mod:`benchmarks.ways.peers`, ``table`` and ``prepared``, the
file.
"""

# ruff: noqa: S608 (names are ours)
from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from urllib.parse import urlsplit

Order = dict[str, Any]
Result = dict[str, Any]
PATH = "/api/leads/"


def read_raw(order: Order) -> Result:
    """The limit of reading: every page, with as many connections, and the bytes dropped."""
    place = urlsplit(order["url"])
    headers = {"Authorization": f"Token {order['token']}"}
    first = http.client.HTTPConnection(str(place.hostname), place.port)
    first.request("GET", f"{PATH}?page_size=1", headers=headers)
    leads = int(json.loads(first.getresponse().read())["count"])
    size, workers = order["page_size"], order["concurrency"]
    pages = -(-leads // size)

    def download(worker: int) -> int:
        received = 0
        with closing(http.client.HTTPConnection(str(place.hostname), place.port)) as connection:
            for page in range(worker + 1, pages + 1, workers):
                connection.request("GET", f"{PATH}?page={page}&page_size={size}", headers=headers)
                received += len(connection.getresponse().read())
        return received

    with ThreadPoolExecutor(workers) as pool:
        received = sum(pool.map(download, range(workers)))
    return {"leads": leads, "requests": pages, "megabytes": received / 1e6}


def _connection(order: Order) -> None:
    extra = {"page_size": order["page_size"], "concurrency": order["concurrency"]}
    sela = {"conn_type": "sela", "host": order["url"], "password": order["token"], "extra": extra}
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(sela)


def read_sela(order: Order) -> Result:
    """A verified read, every lead checked and written to the spool as it came."""
    from airflow_provider_sela.hooks.sela import SelaHook

    with SelaHook().snapshot() as snapshot:
        stats = snapshot.stats
    return {"leads": stats.leads, "requests": stats.requests, "verdict": stats.verdict}


def load_sela(order: Order) -> Result:
    """The whole task: read, prove, land, keep the books."""
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    operator: Any = SelaLeadsToSqlOperator(task_id="load", conn_id="target", table=order["table"])
    result: Result = operator.execute({"run_id": f"benchmark-{time.time_ns()}"})
    return {name: result[name] for name in ("verdict", "requests", "new", "changed", "unchanged")} | {
        "leads": result["read"]
    }


def prepare(order: Order) -> Result:
    """Write what the limits load: the lines that this package sends to the database."""
    from airflow_provider_sela.hooks.sela import SelaHook, open_snapshot
    from airflow_provider_sela.warehouse.registry import engine_for

    engine = engine_for("target", order["table"])
    with (
        open_snapshot(SelaHook(), {}, encoder=engine.dialect.encoder()) as snapshot,
        Path(order["prepared"]).open("wb") as copy,
    ):
        copy.writelines(line + b"\n" for line in snapshot.spool.lines())
        return {"leads": len(snapshot)}


def limit_sela(order: Order) -> Result:
    """The limit of loading: download, bulk load of a prepared file, one merge; nothing checked or kept."""
    downloaded = read_raw(order)
    merge = _limit_postgres if "postgres" in order else _limit_duckdb
    merge(order)
    return downloaded


def _dialect_parts(order: Order) -> tuple[Any, str, str]:
    """The dialect of the database; the columns of a prepared line; those of the staging table."""
    from airflow_provider_sela.warehouse.registry import engine_for
    from airflow_provider_sela.warehouse.tables import STAGED

    dialect: Any = engine_for("target", order["table"]).dialect
    return (
        dialect,
        dialect.column_list(STAGED),
        ", ".join(f"{dialect.column(field.name)} {dialect.column_type(field)}" for field in STAGED),
    )


def _limit_postgres(order: Order) -> None:
    import psycopg

    from airflow_provider_sela.warehouse.postgres import COPY_OPTIONS

    _, names, columns = _dialect_parts(order)
    sets = ", ".join(f"{name} = excluded.{name}" for name in names.split(", ")[1:])
    with psycopg.connect(**order["postgres"]) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {order['table']} ({columns}, PRIMARY KEY (id))")
        cursor.execute(f"CREATE TEMPORARY TABLE staging ({columns}) ON COMMIT DROP")
        with (
            Path(order["prepared"]).open("rb") as lines,
            cursor.copy(f"COPY staging ({names}) FROM STDIN WITH ({COPY_OPTIONS})") as copy,
        ):
            while block := lines.read(1 << 18):
                copy.write(block)
        cursor.execute(
            f"INSERT INTO {order['table']} AS t ({names}) SELECT {names} FROM staging ON CONFLICT (id)"
            f" DO UPDATE SET {sets} WHERE t._sela_hash IS DISTINCT FROM excluded._sela_hash"
        )


def _limit_duckdb(order: Order) -> None:
    import duckdb

    dialect, names, columns = _dialect_parts(order)
    with duckdb.connect(order["duckdb"]) as connection:
        connection.execute("SET memory_limit = '240MB'")
        connection.execute(f"CREATE TABLE {order['table']} ({columns}, PRIMARY KEY (id))")
        connection.execute(f"CREATE TEMPORARY TABLE staging ({columns})")
        connection.execute(f"INSERT INTO staging {dialect.spool_query(1 << 20)}", [order["prepared"]])
        sets = ", ".join(f"{name} = s.{name}" for name in names.split(", ")[1:])
        connection.execute(
            f"MERGE INTO {order['table']} t USING staging s ON t.id = s.id"
            f" WHEN MATCHED AND t._sela_hash <> s._sela_hash THEN UPDATE SET {sets}"
            f" WHEN NOT MATCHED THEN INSERT ({names})"
            f" VALUES ({', '.join('s.' + name for name in names.split(', '))})"
        )


def come_up(conn_id: str | None) -> None:
    """Load what a process loads once, in Airflow its plugins and providers among it."""
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
    from airflow.providers.common.compat.sdk import BaseHook

    for package in ("hooks", "operators", "reading", "storage", "transfers", "warehouse"):
        path = import_module(f"airflow_provider_sela.{package}").__path__
        for module in iter_modules(path, f"airflow_provider_sela.{package}."):
            # Some are for databases whose drivers are not here.
            with suppress(ModuleNotFoundError):
                import_module(module.name)
    get_hook_lineage_collector()
    BaseHook.get_connection("sela_default")
    if conn_id:
        BaseHook.get_connection(conn_id).get_hook()


WAYS: dict[str, Callable[[Order], Result]] = {
    way.__name__: way for way in (read_raw, read_sela, load_sela, prepare, limit_sela)
}


def main(name: str, order: Order) -> None:
    """Run one way and print what it took; libraries are imported before the clock starts."""
    if name != "read_raw":
        _connection(order)
        come_up("target" if "table" in order else None)
    wall, cpu = time.perf_counter(), time.process_time()
    result = WAYS[name](order)
    result |= {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    status = Path("/proc/self/status").read_text()
    result["peak"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
