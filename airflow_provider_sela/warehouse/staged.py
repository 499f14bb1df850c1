"""Landing by sets: all leads in a staging table, then at most three statements against the target."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.deletes import refuse_many
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    DIGESTS,
    HASH,
    LOAD_ID,
    RUN_ID,
    STAGED,
    STAGING,
    SYNCED_AT,
    VALID_FROM,
    VALID_TO,
    Counts,
    Layout,
    Load,
    Mode,
    staged_in,
)
from airflow_provider_sela.warehouse.unchanged import Tables, Unchanged


class StagedEngine(Engine):
    """A database that joins a staging table with the target.

    In each statement ``t`` is the target and ``s`` the staging table. Every mode is the same three steps over
    rows *in scope*: update those that changed, insert those that are missing, delete those that are
    gone. For ``append`` the rows of this load are in scope, for ``history`` the versions that still hold;
    there the update closes a version, which makes its lead one that is missing.

    A new database gives :attr:`staging`, :attr:`digests`, :meth:`fill` and :meth:`~.engine.Engine.columns`.
    """

    #: The staging table as it stands in a statement.
    staging: str
    #: The table of digests likewise, see :class:`~.unchanged.Unchanged`.
    digests: str
    #: Whether the staging table has a primary key, which makes the joins of some databases fast.
    staging_key: ClassVar[bool] = True
    #: Whether the table of digests has one.
    digests_key: ClassVar[bool] = False
    #: What stands behind the dialect's options of a table.
    staging_options: ClassVar[str] = ""
    #: Which leads the target has already, once prepared.
    unchanged: Unchanged

    @abstractmethod
    def fill(self, lines: Iterable[bytes]) -> None:
        """Load lines into the empty staging table by the bulk path of the database."""

    def fill_digests(self, rows: Iterator[tuple[int, int, str]]) -> None:
        """Load the rows of :data:`~.tables.DIGESTS` into their table."""
        self.insert(self.digests, DIGESTS.fields, rows)

    def stage(self, spool: Spool, mode: Mode, load: Load) -> None:
        """Create the staging table, and fill it with the leads that the target may lack."""
        self.prepare(spool, mode, load)
        self.fill_staging()

    def prepare(self, spool: Spool, mode: Mode, load: Load) -> None:
        """Create the staging table, and that of digests if there is something to compare them with."""
        self._create_temporary(self.staging, STAGING, primary_key=self.staging_key)
        tables = Tables(self.staging, self.digests, self._make_digests, self.scope(mode, load))
        self.unchanged = Unchanged(self, mode, load, tables)
        self._spool = spool
        self.unchanged.prepare(spool)

    def fill_staging(self) -> None:
        """Make rows of the leads that the target may lack."""
        wanted, told = self.unchanged.find(self._spool)
        self.fill(self._spool.lines(wanted))
        self._spool.tell(*told)

    def look_again(self) -> None:
        """Look behind the lock whether the target is still what it was before it."""
        if self.unchanged.overlooked():
            # Another load, or somebody else, was faster.
            self.execute(f"DELETE FROM {self.staging}")
            self.fill_staging()

    def _make_digests(self, rows: Iterator[tuple[int, int, str]]) -> None:
        self._create_temporary(self.digests, DIGESTS, primary_key=self.digests_key)
        self.fill_digests(rows)

    def _create_temporary(self, table: str, layout: Layout, *, primary_key: bool) -> None:
        """Create a table that ends with the connection."""
        columns = self.dialect.definitions(layout, primary_key=primary_key)
        options = self.dialect.table_options + self.staging_options
        self.execute(f"CREATE TEMPORARY TABLE {table} ({columns}){options}")

    def rows(self, lines: Iterable[bytes]) -> Iterator[Sequence[Any]]:
        """Lines as rows of the staging table, for databases that are sent rows."""
        return (tuple(json.loads(line).values()) for line in lines)

    def write(self, mode: Mode, load: Load, columns: Collection[str]) -> Counts:
        """Compare, then change, insert and delete what the comparison found, and compare again."""
        self._fields = staged_in(columns)
        self.look_again()
        if load.whole and len(self._fields) == len(STAGED):
            self.unchanged.remember()
        found = self._compare(mode, load)
        if found.deleted and load.max_deletes is not None:
            refuse_many(found.deleted, self.count(mode, load), load.max_deletes)
        if found.changed:
            self._update(mode, load)
        if found.new or (found.changed and mode is Mode.HISTORY):
            self._insert_missing(mode, load)
        if found.deleted:
            where, values = self._gone(mode, load)
            self.execute(f"DELETE FROM {self.dialect.table(self.target)} WHERE {where}", values)
        if found.written:
            lost = self._compare(mode, load).written + self.unchanged.overlooked()
            self.refuse_loss(lost, found.written)
        return found

    def _compare(self, mode: Mode, load: Load) -> Counts:
        dialect = self.dialect
        scope, scope_values = self.scope(mode, load)
        changed, changed_values = self._changed(mode, load)
        target, key = dialect.table(self.target), dialect.column("id")
        ahead = f"t.{dialect.column(mode.since)} > {dialect.parameter(Kind.TIMESTAMP)}"
        new, changes, later = self.fetch_one(
            f"SELECT COUNT(CASE WHEN t.{key} IS NULL THEN 1 END),"
            f" COUNT(CASE WHEN t.{key} IS NOT NULL AND {changed} THEN 1 END),"
            f" COUNT(CASE WHEN {ahead} THEN 1 END)"
            f" FROM {self.staging} s LEFT JOIN {target} t ON t.{key} = s.{key} AND {scope}",
            [*changed_values, dialect.timestamp(load.latest), *scope_values],
        )
        if not mode.removes:
            return Counts(new, changes, 0, later)
        if load.stats.doubt:
            return Counts(new, changes, 0)
        where, values = self._gone(mode, load)
        return Counts(new, changes, self.fetch_one(f"SELECT COUNT(*) FROM {target} WHERE {where}", values)[0])

    def count(self, mode: Mode, load: Load) -> int:
        """How many rows are in scope."""
        scope, values = self.scope(mode, load)
        target = self.dialect.table(self.target)
        rows: int = self.fetch_one(f"SELECT COUNT(*) FROM {target} t WHERE {scope}", values)[0]
        return rows

    def scope(self, mode: Mode, load: Load, table: str = "t") -> tuple[str, list[Any]]:
        """The condition that a row is in scope.

        :param table: the target as the statement calls it.
        """
        dialect = self.dialect
        if mode is Mode.APPEND:
            return f"{table}.{dialect.column(LOAD_ID)} = {dialect.placeholder}", [load.load_id]
        if mode is Mode.HISTORY:
            later = f"{table}.{dialect.column(SYNCED_AT)} > {dialect.parameter(Kind.TIMESTAMP)}"
            scope = f"({table}.{dialect.column(VALID_TO)} IS NULL OR {later})"
            return scope, [dialect.timestamp(load.started)]
        return "1 = 1", []

    def _gone(self, mode: Mode, load: Load) -> tuple[str, list[Any]]:
        """The condition that a row in scope is of a lead that was not read, where no table has an alias."""
        dialect = self.dialect
        target, key = dialect.table(self.target), dialect.column("id")
        scope, values = self.scope(mode, load, target)
        every = self.digests if self.unchanged.used else self.staging
        read = f"SELECT 1 FROM {every} s WHERE s.{key} = {target}.{key}"
        return f"{scope} AND NOT EXISTS ({read})", values

    def _changed(self, mode: Mode, load: Load) -> tuple[str, list[Any]]:
        """Whether a row differs and this load knows better: of two loads that overlap, the one that ends last
        may have read first."""
        dialect = self.dialect
        digest, deleted = dialect.column(HASH), dialect.column(DELETED_AT)
        differs = f"(t.{digest} IS NULL OR t.{digest} <> s.{digest} OR t.{deleted} IS NOT NULL)"
        if mode.removes:
            return differs, []
        since = dialect.column(mode.since)
        earlier = f"t.{since} IS NULL OR t.{since} < {dialect.parameter(Kind.TIMESTAMP)}"
        if mode is Mode.HISTORY:
            earlier = f"t.{dialect.column(VALID_TO)} IS NULL AND ({earlier})"
        else:
            modified = dialect.column("modified_time")
            earlier = f"{earlier} OR s.{modified} > t.{modified}"
        return f"{differs} AND ({earlier})", [dialect.timestamp(load.started)]

    def _update(self, mode: Mode, load: Load) -> None:
        dialect = self.dialect
        stamp, key = dialect.parameter(Kind.TIMESTAMP), dialect.column("id")
        scope, scope_values = self.scope(mode, load)
        changed, changed_values = self._changed(mode, load)
        target, join, where = dialect.table(self.target), f"t.{key} = s.{key}", f"{scope} AND {changed}"
        those = [*scope_values, *changed_values]
        if mode is Mode.HISTORY:
            sets, values = [(VALID_TO, stamp)], [dialect.timestamp(load.started)]
        else:
            content = self.to_set(f"FROM {self.staging} s JOIN {target} t ON {join} WHERE {where}", those)
            whose = [(name, dialect.placeholder) for name in (RUN_ID, LOAD_ID)]
            sets = [*content, (SYNCED_AT, stamp), *whose]
            values = [dialect.timestamp(load.started), load.run_id, load.load_id]
        self.execute(dialect.update(target, self.staging, sets, join, where), [*values, *those])

    def to_set(self, changed: str, values: Sequence[Any]) -> list[tuple[str, str]]:
        """What an update sets beside its own stamps: columns and their new values.

        :param changed: FROM and WHERE of a query for the rows that it changes.
        :param values: of its parameters.
        """
        copied = (field.name for field in self._fields if field.name != "id")
        return [*((name, f"s.{self.dialect.column(name)}") for name in copied), (DELETED_AT, "NULL")]

    def added(self, mode: Mode, load: Load) -> list[tuple[Field, Any]]:
        """Columns of a new row that are the same for a whole load, with their values."""
        started = self.dialect.timestamp(load.started)
        added: list[tuple[Field, Any]] = [
            (Field(SYNCED_AT, Kind.TIMESTAMP), started),
            (Field(RUN_ID, Kind.TEXT), load.run_id),
            (Field(LOAD_ID, Kind.TEXT), load.load_id),
        ]
        if mode is Mode.HISTORY:
            added.append((Field(VALID_FROM, Kind.TIMESTAMP), started))
        return added

    def _insert_missing(self, mode: Mode, load: Load) -> None:
        dialect = self.dialect
        scope, scope_values = self.scope(mode, load)
        added = self.added(mode, load)
        target, key = dialect.table(self.target), dialect.column("id")
        names = dialect.column_list([*self._fields, *(field for field, _ in added)])
        constants = ", ".join(dialect.parameter(field.kind) for field, _ in added)
        self.execute(
            f"INSERT INTO {target} ({names})"
            f" SELECT {dialect.column_list(self._fields, 's.')}, {constants} FROM {self.staging} s"
            f" WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE t.{key} = s.{key} AND {scope})",
            [*(value for _, value in added), *scope_values],
        )
