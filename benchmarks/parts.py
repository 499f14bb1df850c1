"""One task against a read in parts: ``python -m benchmarks.parts``.

The sample API answers each request after a fixed time, in a process of its own; every task is a process too.
Columns: seconds from the first request to the verdict, leads a minute, CPU seconds for each 100,000 leads of
the busiest task of a kind, and how many times as fast it is as one task with the same number of connections,
in the same run.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from airflow_provider_sela.hooks.sela import SelaHook, open_snapshot
from airflow_provider_sela.privacy import Privacy
from airflow_provider_sela.reading.parts import Part, Parts, asked_of
from airflow_provider_sela.reading.parts_reader import PartsReader
from airflow_provider_sela.testing import SelaApi, sample_lead

T = TypeVar("T")
LOG = logging.getLogger("benchmark")
LOG.setLevel(logging.ERROR)
CONNECTIONS = 4
SPAWN = multiprocessing.get_context("spawn")


def serve(leads: int, latency: float, url: Any, stop: Event) -> None:
    """Serve until told to stop."""
    template = sample_lead(28000)
    rows = [{**template, "id": number} for number in range(leads)]
    with SelaApi(leads=rows, page_size=100, max_page_size=100, latency=latency) as api:
        url.send(api.connection)
        stop.wait()


def plan(folder: str, most: int) -> list[Part]:
    """Begin a read."""
    return _reader().plan(folder, page_size=100, most=most)


def read(part: Part) -> tuple[Part, float]:
    """Read a part; with it the CPU seconds that it took."""
    begun = time.process_time()
    done = _reader().read(part, concurrency=CONNECTIONS)
    return done, time.process_time() - begun


def finish(parts: Sequence[Part] | None, connections: int = CONNECTIONS) -> tuple[int, float]:
    """Read a list to a proof, from parts if there are any; gives its leads and the CPU seconds."""
    begun = time.process_time()
    hook = SelaHook()
    found = None
    if parts is not None:
        asked = asked_of(hook.settings, {}, Privacy())
        found = Parts.open([part.xcom() for part in parts], asked, LOG)
    with open_snapshot(hook, {}, page_size=100, concurrency=connections, parts=found) as snapshot:
        if not snapshot.verdict.proven:
            raise RuntimeError(f"the verdict is {snapshot.verdict}")
        return len(snapshot), time.process_time() - begun


def _reader() -> PartsReader:
    return PartsReader(SelaHook().transport, {}, Privacy(), run=None, attempt=1, log=LOG)


def timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    begun = time.monotonic()
    result = work(*arguments)
    return time.monotonic() - begun, result


def row(name: str, *cells: str) -> None:
    print(f"| {' | '.join((name, *cells))} |", flush=True)


def in_one_process(pool: Executor, work: Callable[..., T]) -> Callable[..., T]:
    return lambda *arguments: pool.submit(work, *arguments).result()


def in_parts(pool: Executor, tasks: int, alone: float) -> None:
    """Measure a read in so many parts."""
    with tempfile.TemporaryDirectory() as folder:
        planning, parts = timed(in_one_process(pool, plan), folder, tasks)
        reading, done = timed(lambda: list(pool.map(read, parts)))
        ending, (leads, cpu) = timed(in_one_process(pool, finish), [part for part, _ in done])
    seconds, busiest = planning + reading + ending, max(spent for _, spent in done) * tasks
    row(f"{tasks}", f"{seconds:.1f}", f"{leads / seconds * 60:,.0f}", "", f"{alone / seconds:.1f}")
    row("of them reading", f"{reading:.1f}", "", f"{busiest / leads * 1e5:.1f}", "")
    row("of them the last task", f"{ending:.1f}", "", f"{cpu / leads * 1e5:.1f}", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--leads", type=int, default=40_000)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds that an answer takes")
    parser.add_argument("--tasks", type=int, nargs="*", default=[2, 4, 8])
    options = parser.parse_args()
    stop = SPAWN.Event()
    ours, theirs = SPAWN.Pipe()
    server = SPAWN.Process(target=serve, args=(options.leads, options.latency, theirs, stop), daemon=True)
    server.start()
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(ours.recv())
    row("tasks", "seconds", "leads a minute", "CPU s per 100,000 leads", "times as fast")
    row("---", "---", "---", "---", "---")
    with ProcessPoolExecutor(max(options.tasks), mp_context=SPAWN) as pool:
        list(pool.map(time.sleep, [1] * max(options.tasks)))
        alone, (leads, cpu) = timed(in_one_process(pool, finish), None)
        row("1", f"{alone:.1f}", f"{leads / alone * 60:,.0f}", f"{cpu / leads * 1e5:.1f}", "1.0")
        many, (leads, cpu) = timed(in_one_process(pool, finish), None, 32)
        row(
            "1, 32 connections", f"{many:.1f}", f"{leads / many * 60:,.0f}", f"{cpu / leads * 1e5:.1f}",
            f"{alone / many:.1f}",
        )  # fmt: skip
        for tasks in options.tasks:
            in_parts(pool, tasks, alone)
    stop.set()
    server.join()


if __name__ == "__main__":
    main()
