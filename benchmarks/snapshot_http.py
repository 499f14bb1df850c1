"""Prints what verified reads over real HTTP cost and prove while the list drifts, next to a plain walk.

Lists and writers are seeded; threads and sockets are real, so figures differ a little from run to run.

``python -m benchmarks.snapshot_http [--reads 3] [--leads 5000] [--cap 100]``
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from airflow_provider_sela.api.walk import Walk
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
from airflow_provider_sela.settings import Settings
from airflow_provider_sela.storage.spool import lead_line
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST
from tests.support.drifting_api import DriftingApi, plain_requests

WRITES = (0, 0.2, 1.8, 5, 10)
CONCURRENCY = (1, 4, 8, 16)
COLUMNS = (
    "writes per request",
    "order",
    "connections",
    "leads lost",
    "proven",
    "requests / plain walk (median, max)",
    "plain walk loses (median, max)",
)
LOG = logging.getLogger("benchmark")


@dataclass
class Account:
    """What an Airflow connection would say."""

    host: str | None
    password: str | None
    conn_id: str = "benchmark"
    conn_type: str | None = "sela"
    port: int | None = None
    schema: str | None = None
    extra: str | None = None


class Read(NamedTuple):
    """One verified read."""

    lost: int
    proven: bool
    cost: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reads", type=int, default=3, help="reads per line")
    parser.add_argument("--leads", type=int, default=5000)
    parser.add_argument("--cap", type=int, default=100, help="greatest page size")
    options = parser.parse_args()
    LOG.setLevel(logging.ERROR)
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for writes in WRITES:
        for order in HONEST:

            def fresh(seed: int, order: str = order, writes: float = writes) -> DriftingList:
                return DriftingList(
                    order, leads=options.leads, cap=options.cap, habits=Habits(writes=writes), seed=seed
                )

            missed = [walk(fresh(seed)) for seed in range(options.reads)]
            for concurrency in CONCURRENCY:
                reads = [read(fresh(seed), concurrency) for seed in range(options.reads)]
                costs = [one.cost for one in reads]
                cells = (
                    writes,
                    order,
                    concurrency,
                    sum(one.lost for one in reads),
                    f"{100 * sum(one.proven for one in reads) / len(reads):.0f}%",
                    f"{median(costs):.2f}, {max(costs):.2f}",
                    f"{median(missed):.0f}, {max(missed)}",
                )
                print(f"| {' | '.join(map(str, cells))} |", flush=True)


def read(leads: DriftingList, concurrency: int) -> Read:
    """Read a list over HTTP and verify."""
    plain = plain_requests(leads)
    with DriftingApi(leads) as api:
        snapshot = LeadSnapshot(
            _transport(api),
            {},
            page_size=1000,
            concurrency=concurrency,
            on_unverified="warn",
            encoder=lead_line,
            log=LOG,
        )
        with snapshot:
            seen = {lead["id"] for lead in snapshot}
            return Read(len(leads.stable - seen), snapshot.verdict.proven, snapshot.stats.requests / plain)


def walk(leads: DriftingList) -> int:
    """Walk over a list page by page; gives how many leads that existed throughout were not seen."""
    with DriftingApi(leads) as api:
        transport, walking = _transport(api), Walk()
        seen: set[int] = set()
        while walking.page is not None:
            seen.update(lead["id"] for lead in walking.record(transport.read({}, walking.page, 1000)))
        transport.close()
        return len(leads.stable - seen)


def _transport(api: DriftingApi) -> Transport:
    return Transport(Settings.from_connection(Account(api.url, api.token)), LOG)


if __name__ == "__main__":
    main()
