"""A load in a process that kills itself, or is killed, with SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

from tests.support.loads import load_leads

# Forked from a process that has no threads, so that the databases' drivers start clean, and quickly.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "tests.warehouse.dying",
        "airflow.providers.common.sql.hooks.sql",
        "airflow.providers.jdbc.hooks.jdbc",
        "airflow.providers.snowflake.hooks.snowflake",
        "snowflake.connector",
    ]
)


def start_load(environment: dict[str, str], leads: list[Any], die_before: int | None, **options: Any) -> Any:
    """Start a load in a process of its own.

    :param die_before: number of the statement before which the process kills itself; COMMIT is one too,
        queries are not, because they change nothing.
    """
    process = PROCESSES.Process(target=_load, args=(environment, leads, die_before, options))
    process.start()
    return process


def _load(environment: dict[str, str], leads: list[Any], die_before: int | None, options: Any) -> None:
    os.environ.update(environment)
    if die_before is not None:
        _arm(die_before)
    load_leads(leads, **options)


def _arm(die_before: int) -> None:
    from airflow_provider_sela.warehouse.duckdb import DuckDBEngine
    from airflow_provider_sela.warehouse.engine import Engine
    from airflow_provider_sela.warehouse.postgres import PostgresEngine
    from airflow_provider_sela.warehouse.snowflake import SnowflakeEngine
    from airflow_provider_sela.warehouse.sqlite import SQLiteEngine

    left = die_before

    def armed(original: Any) -> Any:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            sql = str(args[1]) if args[1:] else ""
            if sql.startswith(("SELECT", "DESCRIBE", "SHOW", "EXPLAIN")) or sql.endswith("WHERE 1 = 0"):
                return original(*args, **kwargs)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return original(*args, **kwargs)

        return step

    for owner, name in (
        (Engine, "execute"), (Engine, "execute_many"), (Engine, "commit"), (PostgresEngine, "fill"),
        (DuckDBEngine, "commit"), (SQLiteEngine, "commit"), (SnowflakeEngine, "_put"),
    ):  # fmt: skip
        setattr(owner, name, armed(getattr(owner, name)))
