"""Prints what loads of what has changed cost, beside loads of everything and beside dlt's trusted order.

The list is sorted by ``-modified_time``. The server is a process of its own, and its clock is set forward
between loads: an hour, in which 1 % of the leads change, at even distances; an hour without a change; five
minutes, with as many changes all at once at their end; five minutes without a change, within ``lookback`` of
those; an hour without a change. A few changes of the first hour are dated before the newest that the load
before it has seen, as transactions that last make them. dlt is measured as its documentation has it, and with
a ``lag`` of ``lookback``.

``python -m benchmarks.partial [--leads 100000] [--changed 0.01] [--cap 100] [--latency 0.05] [--rounds 3]``
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from airflow_provider_sela.testing import SelaApi, sample_lead
from airflow_provider_sela.testing.samples import timestamp
from airflow_provider_sela.testing.wire import Request, Response

LATE = timedelta(minutes=1)
"""By which some changes are dated before the newest one that the last load could see."""
FIRST = timedelta(hours=-20)
"""Of the server's clock from the real one: what is read is to be no older than now."""
LOOKBACK = timedelta(minutes=10)
HOUR, MINUTES = timedelta(hours=1), timedelta(minutes=5)
DLT_FILE = "dlt.duckdb"
COLUMNS = ("load", "requests", "seconds", "CPU s", "faster", "changes lost", "scope", "verdict")


class ByChange(SelaApi):
    """Shows the lead that changed last first, by a clock that can be set."""

    ahead = FIRST
    _sorted: Sequence[Any] = ()

    @property
    def now(self) -> datetime:
        """The time, by this server's clock."""
        return datetime.now(UTC) + self.ahead

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        return self._sorted

    def respond(self, request: Request) -> Response:
        """Answer with the time of this server's clock."""
        response = super().respond(request)
        return replace(response, headers={**response.headers, "Date": format_datetime(self.now, usegmt=True)})

    def change(self, passed: timedelta, over: timedelta, number: int, late: int, seed: int) -> dict[int, str]:
        """Let time pass, and leads change at even distances in the last part of it; gives their times.

        :param passed: time, and
        :param over: how much of it, up to its end.
        :param late: of the changes, dated before the newest one so far.
        """
        chance = random.Random(seed)  # noqa: S311
        newest = max(map(_moment, self.leads.values()))
        self.ahead += passed
        changed = chance.sample(sorted(self.leads), number)
        moments = [newest - LATE - timedelta(seconds=each) for each in range(late)]
        step = over / max(number, 1)
        moments += [self.now - step * each for each in range(number - late)]
        for lead, moment in zip(changed, moments, strict=True):
            self.update(lead, status=f"ROUND {seed}", modified_time=timestamp(moment))
        # Here, so that no load waits for it: a database has an index.
        self._sorted = sorted(self.leads.values(), key=_moment, reverse=True)
        return {lead: str(self.leads[lead]["modified_time"]) for lead in changed}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--changed", type=float, default=0.01, help="share of the leads, in an hour")
    parser.add_argument("--cap", type=int, default=100, help="greatest page size")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds for each answer")
    parser.add_argument("--rounds", type=int, default=3, help="of all loads, of which medians are printed")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, vars(options)))
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _print(list(_measured(ours, options, Path(folder))))
    finally:
        ours.send(None)
        server.join()


class Cost(NamedTuple):
    """What a load cost, and what it brought."""

    load: str
    requests: int
    seconds: float
    cpu: float
    lost: int
    scope: str
    verdict: str


def _measured(server: Connection, options: argparse.Namespace, folder: Path) -> Iterator[Cost]:
    def ask(message: object) -> Any:
        server.send(message)
        return server.recv()

    account = server.recv()
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(account)
    target = {"conn_type": "duckdb", "host": str(folder / "sela.duckdb")}
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps(target)
    # It would ask Airflow's database for each of its settings.
    os.environ["PROVIDERS__ENABLE_AIRFLOW_SECRETS"] = "false"
    number, zero, seeds = int(options.leads * options.changed), timedelta(), count(1)
    loads: dict[str, Callable[[], Mapping[str, Any]]] = {
        "Sela": lambda: _sela("changed"),
        "dlt": lambda: _dlt(account, folder / "dlt", zero),
        "dlt with a lag": lambda: _dlt(account, folder / "lag", LOOKBACK),
    }
    databases = (folder / "sela.duckdb", folder / "dlt" / DLT_FILE, folder / "lag" / DLT_FILE)
    # Else ids would say the same as times.
    ask((zero, HOUR, number, 0, 0))
    ask((10_000, 0.0))
    _sela("full")
    loads["dlt"]()
    shutil.copytree(folder / "dlt", folder / "lag")
    ask((options.cap, options.latency))
    steps = (
        ("", HOUR, HOUR, number, 0),
        ("1 % changed in an hour", HOUR, HOUR, number, 5),
        ("an hour without a change", HOUR, zero, 0, 0),
        ("1 % changed at once, just before", MINUTES, timedelta(seconds=0.1), number, 0),
        ("five minutes after that, no change", MINUTES, zero, 0, 0),
        ("an hour after that, no change", HOUR, zero, 0, 0),
    )
    for what, *step in steps * options.rounds:
        seed = next(seeds)
        changed = ask((*step, seed))
        for (who, load), database in zip(loads.items(), databases, strict=True):
            cost = _cost(f"{what}: {who}", server, load, partial(_lost, database, changed, seed))
            if what:
                yield cost
        if what == steps[-1][0]:
            yield _cost("everything: Sela", server, lambda: _sela("full"), int)


def _cost(
    name: str, server: Connection, load: Callable[[], Mapping[str, Any]], lost: Callable[[], int]
) -> Cost:
    before, began, busy = _requests(server), time.monotonic(), time.process_time()
    result = load()
    seconds, cpu = time.monotonic() - began, time.process_time() - busy
    requests = _requests(server) - before
    return Cost(name, requests, seconds, cpu, lost(), result.get("scope", ""), result.get("verdict", ""))


def _print(costs: list[Cost]) -> None:
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    alike = {cost.load: [other for other in costs if other.load == cost.load] for cost in costs}
    full = median(cost.seconds for cost in alike["everything: Sela"])
    for load, found in alike.items():
        requests, lost = (sorted({getattr(cost, name) for cost in found}) for name in ("requests", "lost"))
        seconds, cpu = (median(getattr(cost, name) for cost in found) for name in ("seconds", "cpu"))
        cells = (
            load, _range(requests), f"{seconds:.2f}", f"{cpu:.2f}", f"{full / seconds:.1f}", _range(lost),
            found[-1].scope, found[-1].verdict,
        )  # fmt: skip
        print(f"| {' | '.join(cells)} |")


def _range(numbers: Sequence[int]) -> str:
    return " to ".join(map(str, sorted({numbers[0], numbers[-1]})))


def _requests(server: Connection) -> int:
    server.send("requests")
    return int(server.recv())


def _sela(read: str) -> Mapping[str, Any]:
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    task = SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads", read=read)
    return task.execute({"run_id": f"{read} {time.time_ns()}"})  # type: ignore[no-any-return]


def _dlt(account: Mapping[str, Any], folder: Path, lag: timedelta) -> Mapping[str, Any]:
    """A resource of dlt's REST client with a trusted order, as its documentation has it."""
    import dlt
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

    newest_first = dlt.sources.incremental("modified_time", row_order="desc", lag=lag.total_seconds() or None)
    headers = {"Authorization": f"Token {account['password']}"}
    paginator = JSONLinkPaginator(next_url_path="next")
    client = RESTClient(f"{account['host']}/api/", headers=headers, paginator=paginator)

    @dlt.resource(  # type: ignore[untyped-decorator]
        primary_key="id", write_disposition="merge", columns={"metadata": {"data_type": "json"}}
    )
    def leads(_modified: Any = newest_first) -> Iterator[Any]:
        yield from client.paginate("leads/", data_selector="results")

    destination = dlt.destinations.duckdb(str(folder / DLT_FILE))
    pipeline = dlt.pipeline(
        "leads", destination=destination, dataset_name="dlt_leads", pipelines_dir=str(folder)
    )
    pipeline.run(leads)
    return {}


def _lost(path: Path, changed: Mapping[int, str], seed: int) -> int:
    """How many changes a table does not have."""
    import duckdb

    table = "dlt_leads.leads" if path.name == DLT_FILE else "leads"
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute(f"SELECT id FROM {table} WHERE status = 'ROUND {seed}'").fetchall()  # noqa: S608
    return len(changed.keys() - {lead for (lead,) in rows})


def _serve(client: Connection, options: Mapping[str, Any]) -> None:
    """Answer requests and, from the pipe, what the benchmark asks."""
    leads = ({**sample_lead(28_000 + number), "status": "OPEN"} for number in range(options["leads"]))
    with ByChange(leads) as api:
        client.send(api.connection)
        while (message := client.recv()) is not None:
            match message:
                case (size, latency):
                    api.page_size = api.max_page_size = size
                    api.latency = latency
                    client.send(None)
                case "requests":
                    client.send(len(api.requests))
                case step:
                    client.send(api.change(*step))


def _moment(lead: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(lead["modified_time"])


if __name__ == "__main__":
    main()
