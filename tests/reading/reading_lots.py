"""Reads very many leads in a process of its own and tells its peak memory; the server is a third process."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from airflow_provider_sela.testing import SelaApi, sample_lead


class Lots(Sequence[dict[str, Any]]):
    """So many leads, each made when it is asked for."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._template = sample_lead(28000)

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: Any) -> Any:
        return [{**self._template, "id": number} for number in range(*index.indices(self._number))]


class LotsApi(SelaApi):
    """Serves :class:`Lots`."""

    def __init__(self, number: int) -> None:
        super().__init__(leads=0, page_size=1000, max_page_size=1000)
        self._lots = Lots(number)

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        return self._lots


def serve(number: int, pipe: Connection) -> None:
    """Serve until the other end says so."""
    with LotsApi(number) as api:
        pipe.send(api.connection)
        pipe.recv()


def peak() -> int:
    """Peak resident memory of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def main(number: int) -> None:
    """Print what reading so many leads takes, as JSON."""
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    server = spawn.Process(target=serve, args=(number, far), daemon=True)
    server.start()
    connection = {**near.recv(), "extra": {"page_size": 1000}}
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(connection)
    from airflow_provider_sela.hooks.sela import SelaHook

    hook = SelaHook()
    hook.count_leads()
    before = peak()
    with hook.snapshot() as snapshot:
        distinct = sum(1 for _ in snapshot.spool.lines())
        taken = {"bytes": peak() - before, "leads": distinct, "verdict": str(snapshot.verdict)}
    near.send(None)
    server.join(10)
    print(json.dumps(taken))


if __name__ == "__main__":
    main(int(sys.argv[1]))
