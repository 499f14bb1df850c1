"""One load: everything or nothing, with its books, and no lead value in any failure."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_sela.api.leads import content_hash
from airflow_provider_sela.metrics import RowCounts, load_counts
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.failures import quoted, scrubbed
from airflow_provider_sela.warehouse.schema import Schema, target_key
from airflow_provider_sela.warehouse.tables import HASH, LOADS, REJECTS, Load, Mode


def land(
    engine: Engine,
    spool: Spool,
    load: Load,
    mode: Mode = Mode.MERGE,
    *,
    create: bool = True,
    add: bool = True,
) -> dict[str, Any]:
    """Bring spooled leads into the target in one transaction.

    :param engine: connected engine, used for this one load.
    :param spool: leads that were encoded by this engine's :meth:`~.dialect.Dialect.encoder`.
    :param create: whether missing tables may be created.
    :param add: whether missing columns may be added.
    :return: the load's counts by name, with ``verdict``.
    :raises SelaTargetError: the target does not fit.
    :raises SelaTargetUnavailableError: the database failed.
    """
    schema = Schema(engine, mode, create=create, add=add)
    return scrubbed(lambda: _land(engine, spool, load, mode, schema), queued=engine.queued)


def check(engine: Engine, mode: Mode, *, create: bool = True, add: bool = True) -> None:
    """Say before anything is read or written whether the target fits; takes and raises as :func:`land`."""
    quoted(Schema(engine, mode, create=create, add=add).check, "the target cannot be checked")


def _land(engine: Engine, spool: Spool, load: Load, mode: Mode, schema: Schema) -> dict[str, Any]:
    schema.check()
    if engine.transactional_ddl:
        engine.begin()
    engine.stage(spool)
    engine.lock()
    schema.apply()
    if not engine.transactional_ddl:
        engine.begin()
    written = engine.write(mode, load)
    marked = engine.mark_deleted(mode, load) if load.deleted_ids else 0
    unchanged = load.stats.leads - written.new - written.changed
    rows = RowCounts(written.new, written.changed, unchanged, written.deleted + marked)
    counts = load_counts(load.stats, rows)
    table = engine.dialect.table
    engine.insert(table(schema.rejects), REJECTS.fields, _new_rejects(engine, spool, load, schema))
    engine.insert(table(schema.loads), LOADS.fields, [_loads_row(engine, spool, load, mode, counts)])
    engine.commit()
    return {"verdict": load.stats.verdict, **counts}


def _loads_row(
    engine: Engine, spool: Spool, load: Load, mode: Mode, counts: Mapping[str, int | None]
) -> list[Any]:
    timestamp, newest = engine.dialect.timestamp, spool.newest
    return [
        load.run_id,
        target_key(engine),
        str(mode),
        load.stats.verdict,
        load.reason or None,
        timestamp(load.started),
        timestamp(datetime.now(UTC)),
        None if newest is None else timestamp(newest),
        *counts.values(),
    ]


def _new_rejects(engine: Engine, spool: Spool, load: Load, schema: Schema) -> Iterator[list[Any]]:
    """Rejects that no earlier load has kept."""
    if not spool.rejected:
        return
    dialect, target = engine.dialect, target_key(engine)
    known = {
        digest
        for (digest,) in engine.select(
            f"SELECT {dialect.column(HASH)} FROM {dialect.table(schema.rejects)}"
            f" WHERE {dialect.column('target')} = {dialect.placeholder}",
            [target],
        )
    }
    for line in spool.reject_lines():
        raw = line.decode()
        digest = content_hash({"raw": raw})
        if digest not in known:
            yield [target, digest, load.run_id, dialect.timestamp(load.started), raw]
