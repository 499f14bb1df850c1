"""Any other database whose hook is a ``DbApiHook``: plain SQL that every database knows, row by row."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.exceptions import SelaSetupError, of_connection
from airflow_provider_sela.storage.line_file import LineFile, in_pieces
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.catalogue import Column
from airflow_provider_sela.warehouse.comparison import Comparison, Known, Unmade, aware, unmade
from airflow_provider_sela.warehouse.deletes import refuse_many
from airflow_provider_sela.warehouse.digests import RULES, lead_digester
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.identifiers import TableName, beside
from airflow_provider_sela.warehouse.rehearsal import prove_rollback
from airflow_provider_sela.warehouse.sqlalchemy_dialect import SQLAlchemyDialect
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    DIGEST,
    HASH,
    LOAD_ID,
    LOADS,
    LOADS_TABLE,
    RUN_ID,
    STAGED,
    SYNCED_AT,
    VALID_FROM,
    VALID_TO,
    Counts,
    Layout,
    Load,
    Mode,
    staged_in,
)

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

# Of rows in memory at once.
_PIECE_BYTES = 1 << 20
_PLACEHOLDERS = {"qmark": "?", "format": "%s", "pyformat": "%s"}
_TIMES = tuple(place for place, field in enumerate(STAGED) if field.kind is Kind.TIMESTAMP)
_MODIFIED, _HASH, _DIGEST = (
    [field.name for field in STAGED].index(name) for name in ("modified_time", HASH, DIGEST)
)
_KEYS = (Field("id", Kind.INTEGER), Field(HASH, Kind.TEXT))


class GenericEngine(Engine):
    """Compares hashes in the worker, about 400 bytes for each lead of the target, and sends what differs.

    No staging table is needed, nor any statement beyond INSERT, UPDATE and DELETE by key. Types of existing
    columns cannot be asked for alike everywhere, so that a conflict shows when the first row is refused,
    which writes nothing either.
    """

    dialect: SQLAlchemyDialect
    queued = False
    transactional_ddl = False
    _staged: LineFile | None = None

    def __init__(self, hook: DbApiHook, table: str, dialect: SQLAlchemyDialect | None = None) -> None:
        self.dialect = dialect or SQLAlchemyDialect(hook)
        super().__init__(hook, table)

    def connect(self) -> Any:
        """Take the transaction, and ask the driver how it marks parameters (PEP 249), or else the hook."""
        self._leave_autocommit()
        driver = sys.modules.get(type(self.connection).__module__.partition(".")[0])
        style = getattr(driver, "paramstyle", None)
        placeholder = self.hook.placeholder if style is None else _PLACEHOLDERS.get(style)
        if placeholder is None:
            raise SelaSetupError(
                of_connection(
                    self.hook.get_conn_id(),
                    f"its driver's parameter style {style!r} is not supported: use a driver with qmark,"
                    " format or pyformat",
                )
            )
        self.dialect.placeholder = placeholder
        return self.connection.cursor()

    def locate(self) -> None:
        """Ask for the table by another case: who finds it compares names without."""
        name = self.target[-1]
        other = (*self.target[:-1], name.swapcase())
        found = self.columns(self.target) is not None and self.columns(other) is not None
        self.key = name.lower() if found else name

    def _leave_autocommit(self) -> None:
        if self.hook.supports_autocommit:
            self.hook.set_autocommit(self.connection, False)
        if self.hook.get_autocommit(self.connection) or getattr(self.connection, "autocommit", None) is True:
            raise SelaSetupError(
                f"connection {self.hook.get_conn_id()!r} stays in autocommit, so a load could not be all or"
                " nothing: use a database with transactions, or take autocommit out of the connection"
            )

    def begin(self) -> None:
        """See that what is rolled back is gone, once the tables are there. Then end the transaction in which
        they were looked at: it may not see what came since."""
        prove_rollback(self, beside(self.target, self.dialect.fold(LOADS_TABLE)), LOADS)
        self.connection.rollback()

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Select nothing and look at its columns; a failure is taken for a missing table."""
        try:
            self.execute(f"SELECT * FROM {self.dialect.table(table)} WHERE 1 = 0")
        except Exception:  # noqa: BLE001 (drivers share no base class)
            self.connection.rollback()
            return None
        return {column[0].lower(): Column("", column[6] is not False) for column in self.cursor.description}

    def create_table(self, name: TableName, layout: Layout) -> None:
        """Create a table for good: looking for the next one may roll back."""
        super().create_table(name, layout)
        self.connection.commit()

    def add_column(self, name: TableName, field: Field) -> None:
        """Add a column for good."""
        super().add_column(name, field)
        self.connection.commit()

    def stage(self, spool: Spool, mode: Mode, load: Load) -> None:
        """Make rows once: they are looked at several times."""
        self._spool = spool
        self._unmade = self._find_unmade(mode, load)
        self._stage()

    def _stage(self) -> None:
        self._drop_staged()
        self._staged = LineFile()
        hashes = self._unmade.hashes
        wanted = bytearray(key not in hashes for key, _ in self._spool.leads()) if hashes else None
        for lines in in_pieces(self._spool.lines(wanted), _PIECE_BYTES):
            self._staged.write(lines)
        self._spool.tell(*self._unmade.remarks)

    def _find_unmade(self, mode: Mode, load: Load) -> Unmade:
        columns = self.columns(self.target) or ()
        if not load.whole or any(field.name not in columns for field in mode.layout.fields):
            return unmade((), (), str)
        return unmade(self._known(mode, load, DIGEST), self._spool.leads(), lead_digester(self.dialect))

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self._drop_staged()

    def _drop_staged(self) -> None:
        if self._staged is not None:
            self._staged.close()

    def write(self, mode: Mode, load: Load, columns: Collection[str]) -> Counts:
        """Compare, then update, insert and delete by key, and compare again."""
        self._fields = staged_in(columns)
        found = self._compare(mode, load)
        if found.overlooked:
            # Somebody else was faster.
            self._unmade = unmade((), (), str)
            self._stage()
            found = self._compare(mode, load)
        self._remember(mode, load, found.known)
        counts = found.counts
        if found.gone and load.max_deletes is not None:
            refuse_many(len(found.gone), len(found.known), load.max_deletes)
        if found.changed:
            self._change(mode, load, found.changed)
        if found.changed and mode is Mode.HISTORY:
            # The leads of closed versions are missing now.
            found = self._compare(mode, load)
            self.refuse_loss(len(found.changed), counts.changed)
        self._add(mode, load, (row for row in self._rows() if row[0] not in found.known))
        self._delete(mode, load, found.gone)
        del found
        if counts.written:
            after = self._compare(mode, load)
            self.refuse_loss(after.counts.written + after.overlooked, counts.written)
        return counts

    def _compare(self, mode: Mode, load: Load) -> Comparison:
        known, ahead = dict[int, Known](), 0
        beside = DIGEST if len(self._fields) == len(STAGED) else HASH
        for key, row, _ in self._known(mode, load, beside):
            known[key] = row
            ahead += row.ahead and key in self._spool
        changed = {
            row[0]
            for row in self._rows()
            if row[0] in known and known[row[0]].differs(row[_HASH], aware(row[_MODIFIED]))
        }
        missing = len(self._spool) - sum(key in self._spool for key in known)
        removing = mode.removes and not load.stats.doubt
        gone = [key for key in known if key not in self._spool] if removing else []
        overlooked = self._unmade.overlooked(known)
        return Comparison(known, missing, changed, gone, 0 if mode.removes else ahead, overlooked)

    def _remember(self, mode: Mode, load: Load, known: Mapping[int, Known]) -> None:
        """Give rows their digests that hold none, or one by other rules."""
        dialect, placeholder = self.dialect, self.dialect.placeholder
        scope, values = self._scope(mode, load)
        key, sets = dialect.column("id"), dialect.assignments([(DIGEST, placeholder)])
        rows = (
            [row[_DIGEST], row[0], *values]
            for row in self._rows()
            if row[_DIGEST] and (found := known.get(row[0])) and found.digest == row[_HASH]
            if not found.current
        )
        if len(self._fields) == len(STAGED):
            update = f"UPDATE {dialect.table(self.target)} SET {sets} WHERE {key} = {placeholder} AND {scope}"
            self.execute_many(update, rows)

    def _delete(self, mode: Mode, load: Load, ids: list[int]) -> None:
        scope, values = self._scope(mode, load)
        where = f"{self.dialect.column('id')} = {self.dialect.placeholder} AND {scope}"
        delete = f"DELETE FROM {self.dialect.table(self.target)} WHERE {where}"
        self.execute_many(delete, ([key, *values] for key in ids))

    def _rows(self) -> Iterator[list[Any]]:
        for line in self._staged or ():
            row = list(json.loads(line).values())
            for place in _TIMES:
                if row[place] is not None:
                    row[place] = self.dialect.timestamp(datetime.fromisoformat(row[place]))
            yield row

    def _scope(self, mode: Mode, load: Load) -> tuple[str, list[Any]]:
        dialect = self.dialect
        if mode is Mode.APPEND:
            return f"{dialect.column(LOAD_ID)} = {dialect.placeholder}", [load.load_id]
        return (f"{dialect.column(VALID_TO)} IS NULL" if mode is Mode.HISTORY else "1 = 1"), []

    def _known(self, mode: Mode, load: Load, beside: str) -> Iterator[tuple[int, Known, str | None]]:
        """Rows in scope, each with a column that is asked for beside.

        In history, a version that a later load closed stands in the way of an older one. Of leads that were
        not read, the rows matter only where all were.
        """
        dialect = self.dialect
        scope, values = self._scope(mode, load)
        started = dialect.timestamp(load.started)
        later = f"{dialect.column(mode.since)} >= {dialect.placeholder}"
        if mode is Mode.HISTORY:
            later = f"{dialect.column(VALID_TO)} IS NOT NULL OR {later}"
            scope = f"({scope} OR {dialect.column(SYNCED_AT)} > {dialect.placeholder})"
            values = [started]
        select = (
            f"SELECT {dialect.column_list([*_KEYS, Field(beside, Kind.TEXT)])},"
            f" CASE WHEN {dialect.column(DELETED_AT)} IS NULL THEN 0 ELSE 1 END,"
            f" CASE WHEN {later} THEN 1 ELSE 0 END,"
            f" CASE WHEN {later} THEN {dialect.column('modified_time')} END,"
            f" CASE WHEN {dialect.column(mode.since)} > {dialect.placeholder} THEN 1 ELSE 0 END"
            f" FROM {dialect.table(self.target)} WHERE {scope}"
        )
        values = [started, started, dialect.timestamp(load.latest), *values]
        parts = iter([("1 = 1", list[Any]())]) if load.whole else self.any_of(self._spool.ids)
        rows = (row for part, ids in parts for row in self.select(f"{select} AND {part}", [*values, *ids]))
        for key, digest, kept, deleted, is_later, modified, is_ahead in rows:
            newest = None if mode is Mode.HISTORY else aware(modified)
            later_one = (False, None) if mode.removes else (bool(is_later), newest)
            current = bool(kept and kept.startswith(RULES))
            yield key, Known(None if deleted else digest, *later_one, bool(is_ahead), current), kept

    def _change(self, mode: Mode, load: Load, ids: set[int]) -> None:
        dialect = self.dialect
        started, placeholder = dialect.timestamp(load.started), dialect.placeholder
        scope, values = self._scope(mode, load)
        target, where = dialect.table(self.target), f"{dialect.column('id')} = {placeholder} AND {scope}"
        if mode is Mode.HISTORY:
            sets = dialect.assignments([(VALID_TO, placeholder)])
            self.execute_many(f"UPDATE {target} SET {sets} WHERE {where}", ([started, key] for key in ids))
            return
        copied = [(field.name, placeholder) for field in self._fields if field.name != "id"]
        ours = [(DELETED_AT, "NULL"), *((name, placeholder) for name in (SYNCED_AT, RUN_ID, LOAD_ID))]
        self.execute_many(
            f"UPDATE {target} SET {dialect.assignments(copied + ours)} WHERE {where}",
            (
                [*row[1 : len(self._fields)], started, load.run_id, load.load_id, row[0], *values]
                for row in self._rows()
                if row[0] in ids
            ),
        )

    def _add(self, mode: Mode, load: Load, rows: Iterator[list[Any]]) -> None:
        started = self.dialect.timestamp(load.started)
        ours = [Field(SYNCED_AT, Kind.TIMESTAMP), Field(RUN_ID, Kind.TEXT), Field(LOAD_ID, Kind.TEXT)]
        fields = [*self._fields, *ours]
        constants = [started, load.run_id, load.load_id]
        if mode is Mode.HISTORY:
            fields.append(Field(VALID_FROM, Kind.TIMESTAMP))
            constants.append(started)
        self.insert(
            self.dialect.table(self.target), fields, ([*row[: len(self._fields)], *constants] for row in rows)
        )
