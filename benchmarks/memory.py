"""Memory and time of whole loads, from a few thousand leads to a million, into nothing and once more.

Usage: ``uv run python -m benchmarks.memory [--leads 10000 100000 1000000]``.
Each load is a process of its own, which counts what it takes above the interpreter with Airflow and the
operator imported. A PostgreSQL server is started; its memory does not count, while that of DuckDB, which
lives in the process, does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.environments import airflow_connection, database, scratch
from benchmarks.serving import CAP, TOKEN, serving
from benchmarks.ways.ours import come_up

#: How often each is loaded. The second load finds what the first one left.
TARGETS = {"postgres": 2, "duckdb": 2, "parquet": 2, "jsonl.gz": 1}
_LOADS = [(target, number) for target, loads in TARGETS.items() for number in ("first", "second")[:loads]]


def main() -> None:
    """Run the loads and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        print(json.dumps(load(arguments.load, arguments.path)))
        return
    results = [result for leads in arguments.leads for result in measure(leads)]
    print("| leads | into | load | MB above the interpreter | seconds | microseconds a lead | verdict |")
    print("|---|---|---|---|---|---|---|")
    for each in results:
        micros = each["seconds"] / each["leads"] * 1e6
        print(
            f"| {each['leads']:,} | {each['target']} | {each['load']} | {each['megabytes']:.0f}"
            f" | {each['seconds']:.1f} | {micros:.0f} | {each['verdict']} |"
        )


def measure(leads: int) -> Iterator[Mapping[str, Any]]:
    """Load a list of so many leads into each target, and where it says so once more."""
    with serving(leads, [0.0], later=False) as urls, _environment(urls[0.0]) as (folder, environment):
        for target, number in _LOADS:
            path = "leads" if target in ("postgres", "duckdb") else f"{folder}/leads.{target}"
            command = [sys.executable, "-m", "benchmarks.memory", "--load", target, "--path", path]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                sys.exit(done.stderr)
            result = json.loads(done.stdout.splitlines()[-1])
            yield result | {"leads": leads, "target": target, "load": number}


def load(target: str, path: str) -> dict[str, Any]:
    """One load in this process."""
    from airflow_provider_sela.operators.leads import SelaLeadsOperator
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    operator: Any = (
        SelaLeadsToSqlOperator(task_id="load", conn_id=target, table=path)
        if target in ("postgres", "duckdb")
        else SelaLeadsOperator(task_id="load", path=path)
    )
    come_up(target if target in ("postgres", "duckdb") else None)
    before = _status("VmRSS")
    # Forget the peak that the imports have left.
    Path("/proc/self/clear_refs").write_text("5")
    clock = time.perf_counter()
    result = operator.execute({"run_id": "benchmark"})
    seconds = time.perf_counter() - clock
    return {
        "megabytes": (_status("VmHWM") - before) / 1024,
        "seconds": seconds,
        "verdict": result["verdict"],
    }


@contextmanager
def _environment(url: str) -> Iterator[tuple[str, dict[str, str]]]:
    sela = {"conn_type": "sela", "host": url, "password": TOKEN, "extra": {"page_size": CAP}}
    with scratch() as folder, database() as target:
        yield (
            folder,
            {
                **os.environ,
                "AIRFLOW_HOME": folder,
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(sela),
                "AIRFLOW_CONN_POSTGRES": airflow_connection({"postgres": target}),
                "AIRFLOW_CONN_DUCKDB": airflow_connection({"duckdb": f"{folder}/leads.duckdb"}),
                "no_proxy": "*",
            },
        )


def _status(name: str) -> int:
    """A figure of this process, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)


if __name__ == "__main__":
    main()
