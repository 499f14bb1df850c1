"""Any other database whose hook is a ``DbApiHook``: plain SQL that every database knows, row by row."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.engine import Column, Engine
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    HASH,
    RUN_ID,
    SHORT,
    STAGED,
    SYNCED_AT,
    VALID_FROM,
    VALID_TO,
    Counts,
    Layout,
    Load,
    Mode,
)

_PLACEHOLDERS = {"qmark": "?", "format": "%s", "pyformat": "%s"}
_TIMES = tuple(place for place, field in enumerate(STAGED) if field.kind is Kind.TIMESTAMP)
_MODIFIED = next(place for place, field in enumerate(STAGED) if field.name == "modified_time")


class _Known(NamedTuple):
    """A lead as the target has it.

    :param digest: its hash, None where it has to be written in any case.
    :param later: whether a load that began later than this one wrote it.
    :param modified: its ``modified_time`` in that case.
    """

    digest: str | None
    later: bool
    modified: datetime | None

    def differs(self, digest: str, modified: datetime | None) -> bool:
        """Whether what was read is to replace it."""
        if self.digest == digest:
            return False
        return not self.later or bool(modified and self.modified and modified > self.modified)


class GenericEngine(Engine):
    """Compares hashes in the worker, about 300 bytes for each lead of the target, and sends what differs.

    No staging table is needed, nor any statement beyond INSERT, UPDATE and DELETE by key. Column types are
    those that SQLAlchemy's dialect for the hook chooses. Types of existing columns cannot be asked for alike
    everywhere, so that a conflict shows when the first row is refused, which writes nothing either.
    """

    types: ClassVar[Mapping[Kind, str]] = {}
    accepted: ClassVar[Mapping[Kind, frozenset[str]]] = {}
    transactional_ddl = False

    def connect(self) -> Any:
        """Take the transaction, and ask the driver how it marks parameters (PEP 249), or else the hook."""
        if self.hook.supports_autocommit:
            self.hook.set_autocommit(self.connection, False)
        driver = sys.modules.get(type(self.connection).__module__.partition(".")[0])
        style = getattr(driver, "paramstyle", None)
        placeholder = self.hook.placeholder if style is None else _PLACEHOLDERS.get(style)
        if placeholder is None:
            raise SelaSetupError(
                f"connection {self.hook.get_conn_id()!r}: its driver's parameter style {style!r} is not"
                " supported: use a driver with qmark, format or pyformat"
            )
        self.placeholder = placeholder
        return self.connection.cursor()

    @cached_property
    def dialect(self) -> Any:
        """SQLAlchemy's dialect of the hook, the SQL standard where it has none."""
        from sqlalchemy.dialects import registry
        from sqlalchemy.engine.default import DefaultDialect
        from sqlalchemy.exc import NoSuchModuleError

        try:
            return registry.load(self.hook.dialect_name)()
        except NoSuchModuleError:
            return DefaultDialect()

    def column_type(self, field: Field) -> str:
        """Let SQLAlchemy name the type."""
        from sqlalchemy import types

        # SQL Server's VARCHAR and TEXT lose what is not in their code page, Oracle's DATE has whole seconds,
        # and the SQL standard has no DATETIME.
        text = types.UnicodeText().with_variant(types.Unicode(), "mssql")
        kinds: dict[Kind, types.TypeEngine[Any]] = {
            Kind.INTEGER: types.BigInteger(),
            Kind.TEXT: types.Unicode(250) if field.name in SHORT else text,
            Kind.TIMESTAMP: types.DateTime(True).with_variant(types.TIMESTAMP(True), "oracle", "default"),
            Kind.BOOLEAN: types.Boolean(),
            Kind.JSON: text,
        }
        return str(kinds[field.kind].compile(dialect=self.dialect))

    @cached_property
    def _zoned(self) -> bool:
        kind = self.column_type(Field(SYNCED_AT, Kind.TIMESTAMP)).upper()
        return "ZONE" in kind or "OFFSET" in kind or kind.endswith("TZ")

    def quote(self, name: str) -> str:
        """Quote what needs it: many of these databases make quoted names case-sensitive."""
        return str(self.dialect.identifier_preparer.quote(name))

    def parameter(self, kind: Kind) -> str:
        """Parameters have Python's types, so that no cast is needed."""
        return self.placeholder

    def moment(self, value: datetime) -> datetime:
        """A ``datetime`` in UTC, naive where the database's type has no zone."""
        value = value.astimezone(UTC)
        return value if self._zoned else value.replace(tzinfo=None)

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Select nothing and look at its columns; a failure is taken for a missing table."""
        try:
            self.execute(f"SELECT * FROM {self.table(table)} WHERE 1 = 0")
        except Exception:  # noqa: BLE001 (drivers share no base class)
            self.connection.rollback()
            return None
        return {column[0].lower(): Column("", column[6] is not False) for column in self.cursor.description}

    def create(self, name: TableName, layout: Layout) -> None:
        """Create a table for good: looking for the next one may roll back."""
        super().create(name, layout)
        self.connection.commit()

    def add_column(self, name: TableName, field: Field) -> None:
        """Add a column for good; without COLUMN, which not every database allows."""
        self.execute(f"ALTER TABLE {self.table(name)} ADD {self.definition(field)}")
        self.connection.commit()

    def stage(self, spool: Spool) -> None:
        """The spool itself is the staging table."""
        self._spool = spool

    def write(self, mode: Mode, load: Load) -> Counts:
        """Compare, then update, insert and delete by key."""
        known = dict(self._known(mode, load))
        changed = {
            row[0]
            for row in self._rows()
            if row[0] in known and known[row[0]].differs(row[-1], _aware(row[_MODIFIED]))
        }
        missing = len(self._spool) - sum(key in self._spool for key in known)
        if changed:
            self._change(mode, load, changed)
        written = changed if mode is Mode.HISTORY else set()
        self._add(mode, load, (row for row in self._rows() if row[0] not in known or row[0] in written))
        removed = [key for key in known if key not in self._spool] if mode.removes else []
        scope, values = self._scope(mode, load)
        where = f"{self.column('id')} = {self.placeholder} AND {scope}"
        self.many(f"DELETE FROM {self.table(self.target)} WHERE {where}", ([key, *values] for key in removed))
        return Counts(missing, len(changed), len(removed))

    def _rows(self) -> Iterator[list[Any]]:
        for line in self._spool.lines():
            row = list(json.loads(line).values())
            for place in _TIMES:
                if row[place] is not None:
                    row[place] = self.moment(datetime.fromisoformat(row[place]))
            yield row

    def _scope(self, mode: Mode, load: Load) -> tuple[str, list[Any]]:
        if mode is Mode.APPEND:
            return f"{self.column(RUN_ID)} = {self.placeholder}", [load.run_id]
        return (f"{self.column(VALID_TO)} IS NULL" if mode is Mode.HISTORY else "1 = 1"), []

    def _known(self, mode: Mode, load: Load) -> Iterator[tuple[int, _Known]]:
        """Rows in scope. In history, a version that a later load closed stands in the way of an older one."""
        scope, values = self._scope(mode, load)
        since, moment = (
            self.column(VALID_FROM if mode is Mode.HISTORY else SYNCED_AT),
            self.moment(load.started),
        )
        later = f"{since} >= {self.placeholder}"
        if mode is Mode.HISTORY:
            later = f"{self.column(VALID_TO)} IS NOT NULL OR {later}"
            scope = f"({scope} OR {self.column(SYNCED_AT)} > {self.placeholder})"
            values = [moment]
        rows = self.select(
            f"SELECT {self.column('id')}, {self.column(HASH)},"
            f" CASE WHEN {self.column(DELETED_AT)} IS NULL THEN 0 ELSE 1 END,"
            f" CASE WHEN {later} THEN 1 ELSE 0 END,"
            f" CASE WHEN {later} THEN {self.column('modified_time')} END"
            f" FROM {self.table(self.target)} WHERE {scope}",
            [moment, moment, *values],
        )
        for key, digest, deleted, is_later, modified in rows:
            if mode.removes:
                yield key, _Known(None if deleted else digest, later=False, modified=None)
            else:
                newest = None if mode is Mode.HISTORY else _aware(modified)
                yield key, _Known(None if deleted else digest, bool(is_later), newest)

    def _change(self, mode: Mode, load: Load, ids: set[int]) -> None:
        moment, mark = self.moment(load.started), self.placeholder
        scope, values = self._scope(mode, load)
        target, where = self.table(self.target), f"{self.column('id')} = {mark} AND {scope}"
        if mode is Mode.HISTORY:
            sql = f"UPDATE {target} SET {self.column(VALID_TO)} = {mark} WHERE {where}"
            self.many(sql, ([moment, key] for key in ids))
            return
        copied = ", ".join(f"{self.column(field.name)} = {mark}" for field in STAGED[1:])
        ours = (
            f"{self.column(DELETED_AT)} = NULL, {self.column(SYNCED_AT)} = {mark},"
            f" {self.column(RUN_ID)} = {mark}"
        )
        self.many(
            f"UPDATE {target} SET {copied}, {ours} WHERE {where}",
            ([*row[1:], moment, load.run_id, row[0], *values] for row in self._rows() if row[0] in ids),
        )

    def _add(self, mode: Mode, load: Load, rows: Iterator[list[Any]]) -> None:
        moment = self.moment(load.started)
        fields, constants = (
            [*STAGED, Field(SYNCED_AT, Kind.TIMESTAMP), Field(RUN_ID, Kind.TEXT)],
            [moment, load.run_id],
        )
        if mode is Mode.HISTORY:
            fields.append(Field(VALID_FROM, Kind.TIMESTAMP))
            constants.append(moment)
        self.insert(self.table(self.target), fields, ([*row, *constants] for row in rows))


def _aware(moment: Any) -> datetime | None:
    """A timestamp as drivers give it: with or without a zone, or as text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
