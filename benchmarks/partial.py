"""Prints what a load of what has changed costs, beside a load of everything and beside dlt's trusted order.

The list is sorted by ``-modified_time``; between two loads some leads change, and a few of these changes show
only after others that are dated later, as transactions make them. The server is a process of its own.

``python -m benchmarks.partial [--leads 100000] [--changed 0.01] [--cap 100] [--latency 0.05]``
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from airflow_provider_sela.testing import SelaApi, sample_lead
from airflow_provider_sela.testing.samples import timestamp

LATE = timedelta(minutes=2)
"""By which some changes are dated before the moment at which they show."""
COLUMNS = ("load", "requests", "seconds", "CPU s", "changes lost", "scope", "verdict")


class ByChange(SelaApi):
    """Shows the lead that changed last first, in an order that is made once for each state of the list."""

    _sorted: list[Any] | None = None

    def select(self, filters: dict[str, str]) -> list[Any]:
        if self._sorted is None:
            self._sorted = sorted(self.leads.values(), key=_moment, reverse=True)
        return self._sorted

    def change(self, number: int, late: int, seed: int) -> dict[int, str]:
        """Change some leads, the last few by late transactions; gives their times."""
        chance = random.Random(seed)  # noqa: S311
        changed = chance.sample(sorted(self.leads), number)
        for lead in changed[late:]:
            self.update(lead, status=f"ROUND {seed}")
        for lead in changed[:late]:
            moment = timestamp(datetime.now(UTC) - LATE)
            self.update(lead, status=f"ROUND {seed}", modified_time=moment)
        self._sorted = None
        return {lead: str(self.leads[lead]["modified_time"]) for lead in changed}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--changed", type=float, default=0.01, help="share of the leads, between two loads")
    parser.add_argument("--cap", type=int, default=100, help="greatest page size")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds for each answer")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, vars(options)))
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _measure(ours, options, Path(folder))
    finally:
        ours.send(None)
        server.join()


def _measure(server: Connection, options: argparse.Namespace, folder: Path) -> None:
    account = server.recv()
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(account)
    target = {"conn_type": "duckdb", "host": str(folder / "ours.duckdb")}
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps(target)
    number, late = int(options.leads * options.changed), 5
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    # Else ids would say the same as times.
    server.send((number, 0, 0))
    server.recv()
    _dlt(account, folder)
    _line("everything", server, lambda: _sela("full"), {})
    for seed, (name, changes) in enumerate((("what has changed", number), ("the same, quiet", 0)), 1):
        server.send((changes, min(late, changes), seed))
        changed = server.recv()
        lost = _lost(folder / "ours.duckdb", "leads", seed)
        _line(f"Sela, {name}", server, lambda: _sela("changed"), changed, lost)
        lost = _lost(folder / "dlt.duckdb", "dlt_leads.leads", seed)
        _line(f"dlt, {name}", server, lambda: _dlt(account, folder), changed, lost)
    _line("everything again", server, lambda: _sela("full"), {})


def _line(
    name: str,
    server: Connection,
    load: Callable[[], Mapping[str, Any]],
    changed: Mapping[int, str],
    lost: Callable[[Mapping[int, str]], int] = len,
) -> None:
    before, began, busy = _requests(server), time.monotonic(), time.process_time()
    result = load()
    seconds, cpu = time.monotonic() - began, time.process_time() - busy
    cells = (
        name, _requests(server) - before, f"{seconds:.2f}", f"{cpu:.2f}", lost(changed),
        result.get("scope", ""), result.get("verdict", ""),
    )  # fmt: skip
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _requests(server: Connection) -> int:
    server.send("requests")
    return int(server.recv())


def _sela(read: str) -> Mapping[str, Any]:
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    task = SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads", read=read)
    return task.execute({"run_id": f"{read} {time.time_ns()}"})  # type: ignore[no-any-return]


def _dlt(account: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """A resource of dlt's REST client with a trusted order, as its documentation has it."""
    import dlt
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

    newest_first = dlt.sources.incremental("modified_time", row_order="desc")
    headers = {"Authorization": f"Token {account['password']}"}
    paginator = JSONLinkPaginator(next_url_path="next")
    client = RESTClient(f"{account['host']}/api/", headers=headers, paginator=paginator)

    @dlt.resource(  # type: ignore[untyped-decorator]
        primary_key="id", write_disposition="merge", columns={"metadata": {"data_type": "json"}}
    )
    def leads(_modified: Any = newest_first) -> Iterator[Any]:
        yield from client.paginate("leads/", data_selector="results")

    destination = dlt.destinations.duckdb(str(folder / "dlt.duckdb"))
    pipeline = dlt.pipeline(
        "leads", destination=destination, dataset_name="dlt_leads", pipelines_dir=str(folder)
    )
    pipeline.run(leads)
    return {}


def _lost(path: Path, table: str, seed: int) -> Callable[[Mapping[int, str]], int]:
    """Counts the changes that a table does not have."""

    def lost(changed: Mapping[int, str]) -> int:
        import duckdb

        with duckdb.connect(str(path)) as connection:
            sql = f"SELECT id FROM {table} WHERE status = 'ROUND {seed}'"  # noqa: S608
            rows = connection.execute(sql).fetchall()
        return len(changed.keys() - {lead for (lead,) in rows})

    return lost


def _serve(client: Connection, options: Mapping[str, Any]) -> None:
    """Answer requests and, from the pipe, what the benchmark asks."""
    leads = ({**sample_lead(28_000 + number), "status": "OPEN"} for number in range(options["leads"]))
    size = options["cap"]
    with ByChange(leads, page_size=size, max_page_size=size, latency=options["latency"]) as api:
        client.send(api.connection)
        while (message := client.recv()) is not None:
            client.send(len(api.requests) if message == "requests" else api.change(*message))


def _moment(lead: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(lead["modified_time"])


if __name__ == "__main__":
    main()
