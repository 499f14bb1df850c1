"""One target table on one connection: statements, the transaction, and what every database does alike."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.exceptions import SelaTargetError, of_connection
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.catalogue import Column, Existing
from airflow_provider_sela.warehouse.dialect import Dialect
from airflow_provider_sela.warehouse.failures import quoted
from airflow_provider_sela.warehouse.identifiers import TableName, table_name
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    LOAD_ID,
    RUN_ID,
    SYNCED_AT,
    VALID_TO,
    Counts,
    Layout,
    Load,
    Mode,
)

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

# Of one call of the driver: few round trips and a few MB. Oracle takes no more ids in one list.
_BATCH_ROWS = 1000


class Engine(ABC):
    """One target table in one database, on one connection of the user's own.

    A context manager: entering connects. Nothing is kept unless :meth:`commit` ran.

    A new database gives :attr:`dialect`, :meth:`connect`, :meth:`columns`, :meth:`stage` and :meth:`write`,
    the last two by way of :class:`~.staged.StagedEngine` if it joins tables. It overrides what differs of the
    attributes and of the methods up to :meth:`lock`.

    :param hook: hook of the user's connection.
    :param table: target as the user wrote it, see :func:`~.identifiers.table_name`.
    :ivar target: the same by the name that the database uses, once it is connected.
    :ivar key: what stands for the target in the tables beside it: the same however the user spells it.
    """

    dialect: Dialect
    #: Whether loads into one target wait for each other.
    queued: ClassVar[bool] = True
    #: Whether a created table disappears when the transaction is rolled back.
    transactional_ddl: ClassVar[bool] = True
    #: How a statement is tried that is to change nothing.
    rehearsed: ClassVar[str] = "{}"
    #: Tables that only this database needs in the schema of the target.
    auxiliary_tables: ClassVar[Mapping[str, Layout]] = {}

    def __init__(self, hook: DbApiHook, table: str) -> None:
        self.hook = hook
        self.written = table
        self.target = table_name(table, self.dialect.fold)
        self.key = self.target[-1]

    def __enter__(self) -> Engine:
        what = of_connection(self.hook.get_conn_id(), "cannot open the database")
        self.connection: Any = quoted(self.open, what)
        try:
            self.cursor: Any = quoted(self.connect, what)
            quoted(self.locate, what)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        # With a cursor left in the middle of a statement, SQLite keeps a closed connection and its lock.
        with suppress(Exception):
            self.cursor.close()
        self._close()

    def _close(self) -> None:
        """What was committed is kept and the rest is not, even if the other end is gone already."""
        with suppress(Exception):
            self.connection.close()

    @abstractmethod
    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Columns of a table by name, None where there is no such table."""

    @abstractmethod
    def stage(self, spool: Spool, mode: Mode, load: Load) -> None:
        """Bring the spooled leads near the target, but for those that it has in the same bytes."""

    @abstractmethod
    def write(self, mode: Mode, load: Load, columns: Collection[str]) -> Counts:
        """Make the target what the mode promises; touches only rows that have to change.

        :param columns: those that the target has.
        """

    def open(self) -> Any:
        """Open a fresh connection by the user's hook."""
        return self.hook.get_conn()

    @abstractmethod
    def connect(self) -> Any:
        """Set up the fresh connection; gives the cursor that everything runs on."""

    def locate(self) -> None:
        """Learn the name that the database uses for the target, where it may be another than the user's."""
        self.target = self.located()
        self.key = self.target[-1]

    def located(self) -> TableName:
        """The target by the name that the database uses, or would use if it made the table."""
        return self.target

    def spelled(self, name: TableName) -> str:
        """A table as the user knows it."""
        return self.written if name == self.target else ".".join(name)

    def begin(self) -> None:  # noqa: B027 (most drivers begin by themselves)
        """Start the transaction; the default is a driver that starts one by itself."""

    def commit(self) -> None:
        """End the transaction and keep what it did."""
        self.connection.commit()

    def lock(self, *, alone: bool) -> None:  # noqa: B027 (some databases have one writer at a time)
        """Wait for other loads into the same target, where the database does not do so by itself.

        :param alone: whether this load makes what all targets share.
        """

    def objections(self, table: TableName, *, create: bool, alter: bool) -> list[str]:
        """What the catalogue says against a table beyond its columns; nothing where it cannot be asked.

        :param create: whether the table is missing and is to be created.
        :param alter: whether columns of it are missing and are to be added.
        """
        return []

    def columns_of(self, tables: Iterable[TableName]) -> Existing:
        """What :meth:`columns` gives of each of some tables in one schema."""
        return {table: self.columns(table) for table in tables}

    def unique_keys(self, table: TableName) -> Iterable[frozenset[str]]:
        """Columns, named as :meth:`columns` does, whose values no two rows of a table share: those alone that
        the database enforces, and none where it cannot be asked. Who needs no more asks no further."""
        return ()

    # What follows from it.

    def keys_of(self, sql: str, parameters: Sequence[Any]) -> list[frozenset[str]]:
        """Keys by a query that gives a row for each column of each, with what is the key's own first."""
        keys: dict[Any, set[str]] = {}
        for key, column in self.select(sql, parameters):
            keys.setdefault(key, set()).add(column)
        return [frozenset(columns) for columns in keys.values()]

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self.cursor.execute(sql, tuple(parameters))

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], batch_rows: int = _BATCH_ROWS) -> int:
        """Run one statement for each row, in batches; gives how many rows there were."""
        remaining, sent = iter(rows), 0
        while batch := [tuple(row) for row in islice(remaining, batch_rows)]:
            self.cursor.executemany(sql, batch)
            sent += len(batch)
        return sent

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run one query and stream its rows."""
        self.execute(sql, parameters)
        while rows := self.cursor.fetchmany(_BATCH_ROWS):
            yield from rows

    def fetch_one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """Run one query that gives one row."""
        self.execute(sql, parameters)
        row: tuple[Any, ...] = self.cursor.fetchall()[0]
        return row

    def insert(
        self,
        table: str,
        fields: Sequence[Field],
        rows: Iterable[Sequence[Any]],
        batch_rows: int = _BATCH_ROWS,
    ) -> int:
        """Insert rows in batches, in the running transaction; gives how many were sent.

        :param table: the table as it stands in a statement.
        """
        return self.execute_many(self.dialect.insert(table, fields), rows, batch_rows)

    def refuse_loss(self, lost: int, sent: int, table: str | None = None) -> None:
        """Compare what a table was to take with what it then holds.

        Drivers count the rows of a statement in ways of their own, or not at all, and a view may take a row
        that it does not show: what is there is asked of the table itself.

        :param table: as it stands in a statement; default: the target.
        :raises SelaTargetError: it lacks some.
        """
        if lost > 0:
            raise SelaTargetError(
                f"table {table or self.written}: the table did not take {lost} of {sent} rows, and nothing"
                " was written. Look for a policy of row-level security, a trigger, a rule or a view that"
                " keeps rows from this user without an error"
            )

    def create_table(self, name: TableName, layout: Layout) -> None:
        """Create a table."""
        self.execute(self.dialect.create_table(name, layout))

    def add_column(self, name: TableName, field: Field) -> None:
        """Add an empty column to a table."""
        self.execute(self.dialect.add_column(name, field))

    def live_ids(self, mode: Mode) -> Iterator[int]:
        """Ids of the leads that the target holds and that are not marked as deleted."""
        target, not_deleted = self.dialect.table(self.target), self.dialect.not_deleted(mode)
        rows = self.select(f"SELECT {self.dialect.column('id')} FROM {target} WHERE {not_deleted}")
        return (row[0] for row in rows)

    def any_of(self, ids: Iterable[int]) -> Iterator[tuple[str, list[Any]]]:
        """Conditions that a row is of one of some leads, each with its parameters, for a part of them."""
        remaining, key = iter(ids), self.dialect.column("id")
        while batch := list(islice(remaining, _BATCH_ROWS)):
            yield f"{key} IN ({self.dialect.placeholders(len(batch))})", batch

    def mark_deleted(self, mode: Mode, load: Load) -> Counts:
        """Mark leads as deleted, except those that a later load has seen."""
        dialect, marked, ahead = self.dialect, 0, 0
        table, synced = dialect.table(self.target), dialect.column(SYNCED_AT)
        started, parameter = dialect.timestamp(load.started), dialect.parameter(Kind.TIMESTAMP)
        stamped = [DELETED_AT, SYNCED_AT, *([VALID_TO] if mode is Mode.HISTORY else [])]
        sets = [
            *((name, parameter) for name in stamped),
            *((name, dialect.placeholder) for name in (RUN_ID, LOAD_ID)),
        ]
        for one_of, ids in self.any_of(load.deleted_ids):
            theirs = f"{dialect.not_deleted(mode)} AND {one_of}"
            where = f"({synced} IS NULL OR {synced} <= {parameter}) AND {theirs}"
            count, values = f"SELECT COUNT(*) FROM {table} WHERE {where}", [started, *ids]
            found = self.fetch_one(count, values)[0]
            self.execute(
                f"UPDATE {table} SET {dialect.assignments(sets)} WHERE {where}",
                [*[started] * len(stamped), load.run_id, load.load_id, *values],
            )
            self.refuse_loss(self.fetch_one(count, values)[0], found)
            marked += found
            later = f"SELECT COUNT(*) FROM {table} WHERE {synced} > {parameter} AND {theirs}"
            ahead += self.fetch_one(later, [dialect.timestamp(load.latest), *ids])[0]
        return Counts(0, 0, marked, ahead)
