"""Short ways to land leads in tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from airflow_provider_sela.api.leads import lead_row
from airflow_provider_sela.metrics import ReadStats
from airflow_provider_sela.snapshot.anchor import Anchor
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.testing import sample_lead
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.landing import land
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Load, Mode, Source, TaskRun
from tests.support.databases import plain
from tests.support.spooling import add

START = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
_TICKS = count()


def moment(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def lead(lead_id: int, **changes: Any) -> dict[str, Any]:
    """A sample lead with some fields of one's own."""
    return {**sample_lead(lead_id), **changes}


def load_leads(
    leads: Iterable[Any],
    *,
    table: str = "leads",
    mode: Mode = Mode.MERGE,
    run_id: str = "run",
    task_run: TaskRun | None = None,
    started: datetime | None = None,
    rejects: Iterable[Any] = (),
    deleted_ids: Sequence[int] = (),
    verdict: str = "ATOMIC",
    source: Source | None = None,
    max_deletes: float | None = None,
    conn_id: str = "warehouse",
    engine: Engine | None = None,
    anchor: Anchor | None = None,
    asked: str = "",
    scope: str = "full",
    **options: Any,
) -> dict[str, Any]:
    """Spool leads and land them, as the operator does; each load starts later than the one before."""
    engine = engine or engine_for(conn_id, table)
    began = started or START + timedelta(seconds=next(_TICKS))
    with Spool(engine.dialect.encoder()) as spool:
        for item in leads:
            add(spool, item)
        for item in rejects:
            spool.reject(item)
        with engine:
            read = Load(
                task_run or TaskRun(run_id),
                replace(stats(spool, began), verdict=verdict, scope=scope),
                source=source,
                deleted_ids=deleted_ids,
                max_deletes=max_deletes,
                anchor=anchor,
                asked=asked,
            )
            return land(engine, spool, read, mode, **options)


def stats(spool: Spool, started: datetime) -> ReadStats:
    """What a read has to say that filled this spool."""
    return ReadStats(
        verdict="ATOMIC",
        leads=len(spool),
        rejected=spool.rejected,
        nulled=spool.nulled,
        requests=3,
        retries=1,
        started=started,
    )


def expected(item: dict[str, Any]) -> dict[str, Any]:
    """The row that a lead should become."""
    return {name: plain(name, value) for name, value in lead_row(item).values.items()}


def landed(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row comes from the lead."""
    return {name: value for name, value in row.items() if not name.startswith("_sela_")}


SALT = "a salt of many characters"


def load(run_id: str | None = "manual__1", **arguments: Any) -> dict[str, Any]:
    """Run the operator as a task, into the table ``leads``; returns its XCom."""
    arguments = {"task_id": "load", "conn_id": "warehouse", "table": "leads", **arguments}
    context: Any = {"run_id": run_id} if run_id else {}
    result: dict[str, Any] = SelaLeadsToSqlOperator(**arguments).execute(context)
    return result
