"""Loads of 50,000 leads through a storm: ``python -m tests.chaos.storm --seeds 30`` prints what came of it.

One answer in four fails at random, and in between leads are created, changed and deleted. Everything random
has a seed; threads and sockets are real, so figures differ a little from run to run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow_provider_sela.snapshot.windows import Entry
from airflow_provider_sela.testing import Request, Response, drf
from airflow_provider_sela.testing.wire import Send
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST
from tests.support.databases import DuckDB
from tests.support.drifting_api import DriftingApi

LEADS = 50_000
PAGE = 500
#: Writes per request, seven hundred or more during a load.
WRITES = 5.0
#: Share of the answers that fail.
FAILING = 1 / 4
#: A wait between two attempts takes a fiftieth of its seconds.
HASTE = 50


def _reset(connection: socket.socket, data: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def _reset_in_body(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data[: len(data) // 2])
    time.sleep(0.01)
    _reset(connection, data)


def _cut(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data[: len(data) // 3])


def _slow(connection: socket.socket, data: bytes) -> None:
    step = len(data) // 20 + 1
    for start in range(0, len(data), step):
        connection.sendall(data[start : start + step])
        time.sleep(0.005)


def _sent_by(send: Send) -> Callable[[Response], Response]:
    return lambda honest: Response(honest.status, honest.headers, honest.body, send)


def _status(code: int) -> Callable[[Response], Response]:
    return lambda honest: drf.typical(code)


def _halved(honest: Response) -> Response:
    return Response(honest.status, honest.headers, honest.body[: len(honest.body) // 2])


FAULTS: dict[str, Callable[[Response], Response]] = {
    "reset": _sent_by(_reset),
    "reset in the body": _sent_by(_reset_in_body),
    "cut off": _sent_by(_cut),
    "slow bytes": _sent_by(_slow),
    "half the JSON": _halved,
    **{str(code): _status(code) for code in (429, 500, 502, 503, 504)},
}


class StormyApi(DriftingApi):
    """A drifting list whose answers fail at random.

    :ivar struck: how often each fault struck.
    """

    def __init__(self, leads: DriftingList, seed: int) -> None:
        super().__init__(leads)
        self.struck: Counter[str] = Counter()
        self._dice = random.Random(seed)  # noqa: S311 (repeatable)

    def respond(self, request: Request) -> Response:
        honest = super().respond(request)
        with self.lock:
            if self._dice.random() >= FAILING:
                return honest
            fault = self._dice.choice(list(FAULTS))
            self.struck[fault] += 1
        return FAULTS[fault](honest)

    def _lead(self, entry: Entry) -> dict[str, Any]:
        return {**super()._lead(entry), "email": version(entry.id, entry.modified or 0), "metadata": None}


def version(lead: int, modified: int) -> str:
    """The content that a lead has from one change to the next."""
    return f"lead.{lead}.at.{modified}@example.com"


@dataclass
class Outcome:
    """What a load through a storm gave.

    :param lost: leads that existed throughout and are not in the table.
    :param wrong: leads whose content was not theirs at any moment of the read.
    """

    seed: int
    order: str
    verdict: str
    rows: int
    stable: int
    lost: int
    wrong: int
    changed: int
    requests: int
    retries: int
    seconds: float
    struck: Counter[str] = field(default_factory=Counter)


def load(seed: int, folder: Path, leads: int = LEADS) -> Outcome:
    """Load once; the process's ``sela_default`` and ``warehouse`` are set to what is made here."""
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    order = HONEST[seed % len(HONEST)]
    habits = Habits(writes=WRITES, silent=0)
    drifting = DriftingList(order, leads=leads, cap=PAGE, habits=habits, seed=seed)
    before = {row.id: row.modified for row in drifting._rows}
    database = DuckDB(folder)
    with StormyApi(drifting, seed) as api:
        extra = {"page_size": PAGE, "max_attempts": 10, "timeout": 30}
        os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps({**api.connection, "extra": extra})
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps(database.connection)
        started = time.perf_counter()
        operator = SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads")
        result = operator.execute({})
        seconds = time.perf_counter() - started
    rows = database.rows("SELECT id, email, epoch_us(modified_time) FROM leads")
    found = {lead: (email, modified) for lead, email, modified in rows}
    assert len(found) == len(rows), "a lead has two rows"
    wrong = 0
    for lead, (email, modified) in found.items():
        versions = {before.get(lead, modified), *drifting.changes.get(lead, ())}
        wrong += modified not in versions or email != version(lead, modified)
    return Outcome(
        seed, order, result["verdict"], len(rows), len(drifting.stable), len(drifting.stable - found.keys()),
        wrong, len(drifting.changes), result["requests"], result["retries"], seconds, api.struck,
    )  # fmt: skip


@contextmanager
def haste() -> Iterator[None]:
    """Shorten the waits between attempts."""
    from airflow_provider_sela.http.exchange import Run

    original = Run.sleep

    def sleep(self: Run, seconds: float) -> None:
        original(self, seconds / HASTE)

    with patch.object(Run, "sleep", sleep):
        yield


def main() -> None:
    """Print a line for each seed and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--leads", type=int, default=LEADS)
    options = parser.parse_args()
    outcomes = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder, haste():
            outcomes.append(load(seed, Path(folder), options.leads))
        print(outcomes[-1], flush=True)
    print(summary(outcomes))


def summary(outcomes: Sequence[Outcome]) -> str:
    """The figures of many loads in one paragraph."""
    struck = sum((one.struck for one in outcomes), Counter[str]())
    kinds = ", ".join(f"{kind} {times}" for kind, times in struck.most_common())
    verdicts = Counter(one.verdict.partition("(")[0] for one in outcomes)
    lost, wrong = sum(one.lost for one in outcomes), sum(one.wrong for one in outcomes)
    seconds = [one.seconds for one in outcomes]
    return "\n".join(
        [
            f"{len(outcomes)} loads, verdicts {dict(verdicts)}, {min(seconds):.0f} to {max(seconds):.0f} s",
            f"{sum(one.requests for one in outcomes):,} requests, {struck.total():,} faults: {kinds}",
            f"{sum(one.changed for one in outcomes):,} leads changed while they were read",
            f"{sum(one.stable for one in outcomes):,} leads existed throughout: {lost} lost, {wrong} wrong",
        ]
    )


if __name__ == "__main__":
    main()
