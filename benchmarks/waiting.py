"""What many waiting sensors cost one triggerer process: ``python benchmarks/waiting.py``.

Runs 1, 100, 1,000 and 5,000 triggers, each for a lead that does not come, in one process against a sample API
in another; once as shipped, once in the plain way (one query for each trigger and poke). Each measurement
starts when the waiters have settled. About five minutes with the defaults.

Columns: requests a minute; requests for each trigger and poke; CPU of the process in percent of one core;
memory that each trigger adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from airflow_provider_sela.testing import Request, Response, SelaApi

_SETTLED = 3
_MEASURED = 1


class Counting(SelaApi):
    """A sample API that counts where another process can see it."""

    count: Synchronized[int]

    def respond(self, request: Request) -> Response:
        with self.count.get_lock():
            self.count.value += 1
        self.requests.clear()
        return super().respond(request)


def serve(leads: int, url: Any, count: Synchronized[int], stop: Event) -> None:
    """Serve until told to stop."""
    with Counting(leads=leads) as api:
        api.count = count
        url.send(api.connection)
        stop.wait()


def measure(waiters: int, shared: bool, interval: float, count: Synchronized[int], report: Any) -> None:
    """Run so many triggers and report what they cost; in a process of its own, for its memory."""
    from airflow_provider_sela.triggers import polling
    from airflow_provider_sela.triggers.leads import SelaLeadTrigger

    if not shared:
        polling.MIN_WAITERS_TO_SHARE = sys.maxsize

    async def wait(number: int) -> None:
        async for event in SelaLeadTrigger(external_id=f"waiter-{number}", poke_interval=interval).run():
            raise SystemExit(f"a trigger fired: {event}")

    async def run() -> dict[str, float]:
        empty = _resident()
        tasks = [asyncio.create_task(wait(number)) for number in range(waiters)]
        await asyncio.sleep(_SETTLED * interval)
        sent, spent, began = count.value, time.process_time(), time.monotonic()
        await asyncio.sleep(_MEASURED * interval)
        seconds = time.monotonic() - began
        sent, spent = count.value - sent, time.process_time() - spent
        memory = _resident() - empty
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {
            "a_minute": sent * 60 / seconds,
            "a_poke": sent / (waiters * seconds / interval),
            "cpu": 100 * spent / seconds,
            "kilobytes": memory / waiters / 1024,
        }

    report.send(asyncio.run(run()))


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--waiters", type=int, nargs="+", default=[1, 100, 1000, 5000])
    parser.add_argument("--interval", type=float, default=10, help="poke interval in seconds (%(default)s)")
    parser.add_argument("--leads", type=int, default=1000, help="leads in the list (%(default)s)")
    options = parser.parse_args()
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="sela-waiting-"))
    os.environ["no_proxy"] = "*"
    context = multiprocessing.get_context("spawn")
    print(f"poke interval {options.interval:g} s, {options.leads} leads in the list")
    print(f"{'triggers':>8}  {'way':<6}  {'requests/min':>12}  {'per poke':>8}  {'CPU %':>6}  {'kB each':>8}")
    with _server(context, options.leads) as count:
        for waiters in options.waiters:
            for shared in (False, True):
                receiver, sender = context.Pipe(duplex=False)
                arguments = (waiters, shared, options.interval, count, sender)
                process = context.Process(target=measure, args=arguments)
                process.start()
                process.join()
                if not receiver.poll():
                    raise SystemExit("a measurement ended without a result")
                got = receiver.recv()
                print(
                    f"{waiters:>8}  {'shared' if shared else 'plain':<6}  {got['a_minute']:>12.0f}  "
                    f"{got['a_poke']:>8.3f}  {got['cpu']:>6.1f}  {got['kilobytes']:>8.1f}",
                    flush=True,
                )


@contextmanager
def _server(context: Any, leads: int) -> Iterator[Synchronized[int]]:
    count, stop = context.Value("q", 0), context.Event()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(leads, sender, count, stop))
    process.start()
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(receiver.recv())
    try:
        yield count
    finally:
        stop.set()
        process.join()


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
