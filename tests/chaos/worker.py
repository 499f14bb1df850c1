"""A worker process that runs one try of a load."""

from __future__ import annotations

import os
from typing import Any

from tests.support.loads import load
from tests.warehouse.dying import PROCESSES


def start(run_id: str) -> Any:
    """A process that is about to load, with the connections of this one."""
    environment = {name: value for name, value in os.environ.items() if "AIRFLOW" in name}
    ready = PROCESSES.Event()
    worker = PROCESSES.Process(target=_work, args=(environment, ready, run_id))
    worker.start()
    assert ready.wait(60)
    return worker


def _work(environment: dict[str, str], ready: Any, run_id: str) -> None:
    os.environ.update(environment)
    ready.set()
    load(run_id=run_id)
