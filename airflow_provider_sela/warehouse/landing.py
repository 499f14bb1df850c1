"""One load: everything or nothing, with its books, and no lead value in any failure."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_sela.metrics import RowCounts, load_counts
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.anchors import anchor_column
from airflow_provider_sela.warehouse.catalogue import Existing
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.failures import quoted, scrubbed
from airflow_provider_sela.warehouse.schema import Schema
from airflow_provider_sela.warehouse.tables import HASH, LOADS, REJECTS, Load, Mode, Source, read_values


def land(
    engine: Engine,
    spool: Spool,
    load: Load,
    mode: Mode = Mode.MERGE,
    *,
    create: bool = True,
    add: bool = True,
    judge: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Bring spooled leads into the target in one transaction.

    :param engine: connected engine, used for this one load.
    :param spool: leads, whose encoder is this engine's :meth:`~.dialect.Dialect.encoder`.
    :param create: whether missing tables may be created.
    :param add: whether missing columns may be added.
    :param judge: is called when all leads have become rows, before the target is touched for good.
    :return: the load's counts by name, with ``verdict``.
    :raises SelaTargetError: the target does not fit.
    :raises SelaTargetUnavailableError: the database failed.
    """
    schema = Schema(engine, mode, create=create, add=add)
    return scrubbed(lambda: _land(engine, spool, load, mode, schema, judge), queued=engine.queued)


def check(
    engine: Engine, mode: Mode, *, create: bool = True, add: bool = True, source: Source | None = None
) -> Existing:
    """Say before anything is read or written whether the target fits; takes and raises as :func:`land`.

    :param source: whose leads are to land; default: nobody knows.
    :return: the tables that there are.
    """
    schema = Schema(engine, mode, create=create, add=add)
    return quoted(lambda: schema.check(source), "the target cannot be checked")


def recognise(engine: Engine, mode: Mode, spool: Spool, source: Source) -> None:
    """Say before the table is compared with the leads of a read whether they are of its account.

    :raises SelaTargetError: they are of another one.
    """
    schema = Schema(engine, mode, create=False, add=False)
    scrubbed(lambda: schema.confirm(source, spool))


def _land(
    engine: Engine,
    spool: Spool,
    load: Load,
    mode: Mode,
    schema: Schema,
    judge: Callable[[], object],
) -> dict[str, Any]:
    schema.check(load.source)
    if engine.transactional_ddl:
        engine.begin()
    engine.stage(spool, mode, load)
    staged = spool.told
    if staged:
        judge()
    engine.lock(alone=schema.makes_shared)
    columns = schema.apply()
    # What was made may have got another name than it was given.
    engine.locate()
    if not engine.transactional_ddl:
        engine.begin()
    load = replace(load, source=schema.confirm(load.source, spool))
    written = engine.write(mode, load, columns)
    if not staged:
        judge()
    stats = replace(load.stats, nulled=spool.nulled, unknown_fields=spool.fields.unknown)
    load = replace(load, stats=stats)
    marked = engine.mark_deleted(mode, load)
    unchanged = load.stats.leads - written.new - written.changed
    deleted, ahead = written.deleted + marked.deleted, written.ahead + marked.ahead
    rows = RowCounts(written.new, written.changed, unchanged, deleted, ahead)
    counts = load_counts(load.stats, rows)
    _keep_rejects(engine, spool, load, schema)
    _keep_loads(engine, schema, _loads_row(engine, spool, load, mode, counts))
    engine.commit()
    return {"verdict": load.stats.verdict, **counts}


def _keep_loads(engine: Engine, schema: Schema, row: list[Any]) -> None:
    dialect, table = engine.dialect, engine.dialect.table(schema.loads)
    engine.insert(table, LOADS.fields, [row])
    own = f"{dialect.column('attempt_id')} = {dialect.placeholder}"
    kept = engine.fetch_one(f"SELECT COUNT(*) FROM {table} WHERE {own}", row[:1])[0]
    engine.refuse_loss(1 - kept, 1, table)


def _loads_row(
    engine: Engine, spool: Spool, load: Load, mode: Mode, counts: Mapping[str, int | None]
) -> list[Any]:
    timestamp, task_run = engine.dialect.timestamp, load.task_run
    origin, account, accounts = load.source.columns() if load.source else (None, None, None)
    read = read_values(load.stats, load.reason, spool.newest)
    values = {
        "attempt_id": secrets.token_hex(16),
        "load_id": load.load_id,
        "dag_id": task_run.dag_id,
        "task_id": task_run.task_id,
        "run_id": task_run.run_id,
        "map_index": task_run.map_index,
        "target": engine.key,
        "origin": origin,
        "account": account,
        "accounts": accounts,
        "mode": str(mode),
        "anchor": anchor_column(load),
        **{name: timestamp(value) if isinstance(value, datetime) else value for name, value in read.items()},
        **counts,
    }
    return [values[field.name] for field in LOADS.fields]


def _keep_rejects(engine: Engine, spool: Spool, load: Load, schema: Schema) -> None:
    """Keep the rejects that no earlier load has kept."""
    if not spool.rejected:
        return
    dialect, table, target = engine.dialect, engine.dialect.table(schema.rejects), engine.key
    kept = f"FROM {table} WHERE {dialect.column('target')} = {dialect.placeholder}"
    known = {digest for (digest,) in engine.select(f"SELECT {dialect.column(HASH)} {kept}", [target])}
    started = dialect.timestamp(load.started)
    rows = (
        [target, digest, load.load_id, load.run_id, started, raw]
        for digest, raw in spool.rejects()
        if digest not in known
    )
    sent = engine.insert(table, REJECTS.fields, rows)
    now = engine.fetch_one(f"SELECT COUNT(*) {kept}", [target])[0]
    engine.refuse_loss(len(known) + sent - now, sent, table)
