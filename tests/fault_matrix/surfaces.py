"""The ways in which this package is used: each takes a fault and tells what came of it.

A surface returns the leads that arrived, by id, with something of their content; what it raises is the
outcome as well. It arms the fault where it hurts: in the middle of what is read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing, closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.testing import sample_lead
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger
from tests.fault_matrix.broken import NEW, PHONE, WANTED, BrokenApi, Occurrence
from tests.fault_matrix.clock import LOOK
from tests.support.databases import DuckDB
from tests.triggers.waits import first_event

Found = dict[int, Any]

LEADS = 60
SELECTION: dict[str, Any] = {"phone_number": PHONE}


@dataclass
class Cell:
    """One fault on one surface.

    :ivar counted_from: number of requests that belong to the preparation.
    """

    here: Occurrence
    api: BrokenApi
    folder: Path
    counted_from: int = 0

    def arm(self, request: int = 1) -> None:
        """Let the fault strike at the given request from now, the next being 1."""
        self.here.armed_at = self.here.asked + request

    def add_wanted(self) -> None:
        with self.api.lock:
            self.api.add(planted(NEW, external_id=WANTED))


def planted(number: int, **fields: Any) -> dict[str, Any]:
    """A lead whose personal values can be searched for."""
    personal = {
        "email": f"planted.{number}@example.com",
        "phone_number": PHONE,
        "external_id": f"planted-{number}",
        "metadata": {"first_name": "Planted"},
    }
    return {**sample_lead(number), "status": "OPEN", **personal, **fields}


def found(leads: Any) -> Found:
    """Content by id; a lead that comes twice is an error."""
    pairs = [(lead["id"], lead["email"]) for lead in leads]
    assert len(dict(pairs)) == len(pairs), "a lead came twice"
    return dict(pairs)


def iter_leads(cell: Cell) -> Found:
    cell.arm(2)
    with closing(SelaHook()) as hook:
        return found(list(hook.iter_leads(**SELECTION)))


def snapshot(cell: Cell) -> Found:
    cell.arm(2)
    with closing(SelaHook()) as hook, hook.snapshot(**SELECTION) as leads:
        return found(leads)


def aiter_leads(cell: Cell) -> Found:
    async def read() -> list[Any]:
        return [lead async for lead in SelaHook().aiter_leads(**SELECTION)]

    cell.arm(2)
    return found(asyncio.run(read()))


def to_file(cell: Cell) -> Found:
    path = cell.folder / "out" / "leads.jsonl"
    path.parent.mkdir()
    cell.arm(2)
    try:
        SelaLeadsOperator(task_id="file", path=str(path), **SELECTION).execute({})
    except BaseException:
        assert list(path.parent.iterdir()) == [], "half a file"
        raise
    return found(map(json.loads, path.read_text().splitlines()))


def to_sql(cell: Cell) -> Found:
    database = DuckDB(cell.folder)
    cell.arm(2)
    try:
        SelaLeadsToSqlOperator(task_id="sql", conn_id="warehouse", table="leads", **SELECTION).execute({})
    except BaseException:
        assert not database.path.exists() or database.tables() == set(), "half a load"
        raise
    return found(database.table())


def sensor(**arguments: Any) -> SelaLeadSensor:
    return SelaLeadSensor(
        task_id="wait", external_id=WANTED, poke_interval=LOOK, max_failures=2, timeout=86_400, **arguments
    )


def poke(cell: Cell) -> Found:
    cell.add_wanted()
    cell.arm()
    return found([sensor(deferrable=False).execute({})])


def deferred(cell: Cell) -> Found:
    """The worker looks, defers, the trigger looks, and the worker resumes; the fault strikes the trigger."""
    waiting = sensor(deferrable=True)
    cell.arm(2)
    try:
        return found([waiting.execute({})])
    except TaskDeferred as deferral:
        cell.add_wanted()
        classpath, arguments = deferral.trigger.serialize()
        module, _, name = classpath.rpartition(".")
        trigger = getattr(import_module(module), name)(**arguments)
        event = asyncio.run(first_event(trigger, seconds=1e9))
        kwargs = {**(deferral.kwargs or {}), "event": event}
        return found([waiting.resume_execution(deferral.method_name, kwargs, {})])


def event(cell: Cell) -> Found:
    """A new lead appears once the watch knows those that are there."""

    async def watch() -> list[int]:
        trigger = SelaLeadsEventTrigger(poll_interval=LOOK, **SELECTION)
        fired: Any = trigger.run()
        async with aclosing(fired):
            ids: list[int] = (await anext(fired)).payload["ids"]
        return ids

    def after_the_baseline() -> None:
        if cell.api.requests and NEW not in cell.api.leads:
            cell.add_wanted()
            cell.counted_from = len(cell.api.requests)
            cell.arm()

    cell.here.clock.before_look = after_the_baseline
    return {number: cell.api.leads[number]["email"] for number in asyncio.run(watch())}


Surface = Callable[[Cell], Found]
SURFACES: dict[str, Surface] = {
    "iter_leads": iter_leads,
    "snapshot": snapshot,
    "aiter_leads": aiter_leads,
    "file": to_file,
    "SQL": to_sql,
    "sensor": poke,
    "deferred": deferred,
    "event": event,
}
