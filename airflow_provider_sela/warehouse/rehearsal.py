"""What is tried with a database before a lead meets it: statements that touch no row, and a rollback."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.exceptions import SelaSetupError, of_connection
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.failures import quoted
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.tables import Layout


def rehearse(engine: Engine, name: TableName, layout: Layout, existing: Collection[str], verbs: str) -> None:
    """Let a table take what a load will say to it, with no row in it.

    The database itself knows its rights, views, rules, generated columns and read-only modes best.

    :param existing: columns that the table has.
    :param verbs: of the statements, separated by blanks.
    :raises SelaTargetError: the table refuses one; the database's own words say why.
    """
    dialect = engine.dialect
    table, none = dialect.table(name), "WHERE 1 = 0"
    written = [field for field in layout.fields if field.name in existing]
    columns = dialect.column_list(written)
    changed = [dialect.column(field.name) for field in written if field.name not in layout.key]
    statements = {
        "INSERT": f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} {none}" if written else "",
        "UPDATE": f"UPDATE {table} SET {changed[0]} = {changed[0]} {none}" if changed else "",
        "DELETE": f"DELETE FROM {table} {none}",
    }
    for verb in verbs.split():
        if statements[verb]:
            sql = engine.rehearsed.format(statements[verb])
            quoted(lambda sql=sql: engine.execute(sql), f"table {engine.spelled(name)} takes no {verb}")  # type: ignore[misc]


def prove_rollback(engine: Engine, name: TableName, layout: Layout) -> None:
    """Insert a row, roll back, and look for it: some databases and hooks only seem to have transactions.

    :param name: a table of ours.
    :raises SelaSetupError: the row is still there. It is removed if the database allows.
    """
    dialect, mark = engine.dialect, f"rollback {uuid.uuid4().hex}"
    where = f"FROM {dialect.table(name)} WHERE {dialect.column('run_id')} = {dialect.placeholder}"
    engine.insert(dialect.table(name), layout.fields, [_row(engine, layout.fields, mark)])
    with suppress(Exception):
        engine.connection.rollback()
    if engine.fetch_one(f"SELECT COUNT(*) {where}", [mark])[0] == 0:
        return
    with suppress(Exception):
        engine.execute(f"DELETE {where}", [mark])
        engine.connection.commit()
    message = (
        "the database keeps what is rolled back, so a load could not be all or nothing; no lead was written"
    )
    raise SelaSetupError(of_connection(engine.hook.get_conn_id(), message))


def _row(engine: Engine, fields: Sequence[Field], mark: str) -> list[Any]:
    now = engine.dialect.timestamp(datetime.now(UTC))
    values = {Kind.INTEGER: 0, Kind.BOOLEAN: False, Kind.TIMESTAMP: now}
    return [values.get(field.kind, mark) for field in fields]
