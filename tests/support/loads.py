"""Short ways to land leads in tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from airflow_provider_sela.metrics import ReadStats
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.testing import sample_lead
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.landing import land
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Load, Mode
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
    started: datetime | None = None,
    rejects: Iterable[Any] = (),
    deleted_ids: Sequence[int] = (),
    conn_id: str = "warehouse",
    engine: Engine | None = None,
    **options: bool,
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
            return land(
                engine, spool, Load(run_id, stats(spool, began), deleted_ids=deleted_ids), mode, **options
            )


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
