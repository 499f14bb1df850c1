"""What every database does alike: one connection, one transaction, tables, marks and the books of a load."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from airflow_provider_sela.api.leads import Field, Kind, Row, content_json, digest
from airflow_provider_sela.exceptions import SelaTargetUnavailableError
from airflow_provider_sela.storage.spool import Encoder, Line, Spool
from airflow_provider_sela.warehouse.identifiers import TableName, table_name
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    HASH,
    RUN_ID,
    SHORT,
    SYNCED_AT,
    VALID_TO,
    Counts,
    Layout,
    Load,
    Mode,
)

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_sela.api.raw import RawLead

_BATCH = 1000


class Column(NamedTuple):
    """A column that a table has.

    :param type: as the database calls it, lower case; empty where it cannot be asked.
    :param nullable: whether it may hold NULL.
    :param filled: whether the database fills it when a new row leaves it out.
    """

    type: str
    nullable: bool = True
    filled: bool = True


class Engine(ABC):
    """One target table in one database, on one connection of the user's own.

    A context manager: entering connects. Nothing is kept unless :meth:`commit` ran.

    :param hook: hook of the user's connection.
    :param table: target as the user wrote it, see :func:`~.identifiers.table_name`.
    """

    types: ClassVar[Mapping[Kind, str]]
    #: Types of existing columns that hold every value of a kind.
    accepted: ClassVar[Mapping[Kind, frozenset[str]]]
    short_text: ClassVar[str | None] = None
    placeholder: str = "?"
    quote_mark: ClassVar[str] = '"'
    table_options: ClassVar[str] = ""
    #: Whether a created table disappears when the transaction is rolled back.
    transactional_ddl: ClassVar[bool] = True
    #: What makes CREATE TABLE and ADD COLUMN bear that another load was faster.
    unless_there: ClassVar[str] = ""
    #: Tables that only this database needs beside the target.
    companions: ClassVar[Mapping[str, Layout]] = {}

    def __init__(self, hook: DbApiHook, table: str) -> None:
        self.hook = hook
        self.target = table_name(table, self.fold)

    def __enter__(self) -> Engine:
        self.connection: Any = self.open()
        try:
            self.cursor: Any = self.connect()
        except BaseException:
            self.connection.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        # With a cursor left in the middle of a statement, SQLite keeps a closed connection and its lock.
        with suppress(Exception):
            self.cursor.close()
        self.connection.close()

    # what an engine has to say for itself

    @abstractmethod
    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Columns of a table by name, None where there is no such table."""

    @abstractmethod
    def stage(self, spool: Spool) -> None:
        """Bring the spooled leads near the target."""

    @abstractmethod
    def write(self, mode: Mode, load: Load) -> Counts:
        """Make the target what the mode promises; touches only rows that have to change."""

    def connect(self) -> Any:
        """Set up the fresh connection; gives the cursor that everything runs on."""
        return self.connection.cursor()

    def open(self) -> Any:
        """A fresh connection from the user's hook.

        :raises SelaTargetUnavailableError: the database cannot be reached; its own words are quoted, because
            no lead has been near it yet.
        """
        try:
            return self.hook.get_conn()
        except Exception as error:  # noqa: BLE001 (drivers share no base class)
            reason = f"{type(error).__name__}: {error}".strip()
        raise SelaTargetUnavailableError(
            f"connection {self.hook.get_conn_id()!r}: cannot open the database: {reason}"
        )

    def fold(self, name: str) -> str:
        """What the database does to a name without quotes."""
        return name

    def begin(self) -> None:  # noqa: B027 (most drivers begin by themselves)
        """Start the transaction; the default is a driver that starts one by itself."""

    def commit(self) -> None:
        """End the transaction and keep what it did."""
        self.connection.commit()

    def lock(self) -> None:  # noqa: B027 (some databases have one writer at a time)
        """Wait for other loads into the same target, where the database does not do so by itself."""

    def fit(self, row: Row) -> Row:
        """Adapt a row to limits that only this database has."""
        return row

    def line(self, values: Mapping[str, Any], content: bytes) -> bytes:
        """A row as it is spooled, in the form that is staged fastest.

        :param values: of all columns that are staged.
        :param content: all of them but the last, the hash, as it was made of them.
        """
        return msgspec.json.encode(values)

    def moment(self, value: datetime) -> Any:
        """A timestamp as a parameter."""
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    # what follows from it

    def encode(self) -> Encoder:
        """Make the spool's encoder for this database."""

        def encode(lead: RawLead) -> Line:
            values, nulled = self.fit(lead.row())
            content = content_json(values)
            values[HASH] = digest(content)
            return Line(self.line(values, content), nulled)

        return encode

    def column_type(self, field: Field) -> str:
        """The type that a column gets."""
        return self.short_text if self.short_text and field.name in SHORT else self.types[field.kind]

    def accepts(self, field: Field, column: Column) -> bool:
        """Whether an existing column can hold every value of a field."""
        return not column.type or column.type in self.accepted[field.kind]

    def quote(self, name: str) -> str:
        """A checked name as it stands in a statement."""
        return f"{self.quote_mark}{name}{self.quote_mark}"

    def column(self, name: str) -> str:
        """One of our own columns as it stands in a statement."""
        return self.quote(self.fold(name))

    def table(self, name: TableName) -> str:
        """A table as it stands in a statement."""
        return ".".join(map(self.quote, name))

    def parameter(self, kind: Kind) -> str:
        """Place of a parameter in a statement."""
        if kind is Kind.TIMESTAMP:
            return f"CAST({self.placeholder} AS {self.types[kind]})"
        return self.placeholder

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self.cursor.execute(sql, tuple(parameters))

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run one query and stream its rows."""
        self.execute(sql, parameters)
        while rows := self.cursor.fetchmany(_BATCH):
            yield from rows

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """Run one query that gives one row."""
        self.execute(sql, parameters)
        row: tuple[Any, ...] = self.cursor.fetchall()[0]
        return row

    def insert(
        self, table: str, fields: Sequence[Field], rows: Iterable[Sequence[Any]], batch_size: int = _BATCH
    ) -> None:
        """Insert rows in batches, in the running transaction.

        :param table: the table as it stands in a statement.
        """
        sql = (
            f"INSERT INTO {table} ({self.listed(fields)})"
            f" VALUES ({', '.join(self.parameter(field.kind) for field in fields)})"
        )
        self.many(sql, rows, batch_size)

    def many(self, sql: str, rows: Iterable[Sequence[Any]], batch_size: int = _BATCH) -> None:
        """Run one statement for each row, in batches."""
        remaining = iter(rows)
        while batch := [tuple(row) for row in islice(remaining, batch_size)]:
            self.cursor.executemany(sql, batch)

    def listed(self, fields: Iterable[Field], prefix: str = "") -> str:
        """Column names, separated by commas."""
        return ", ".join(prefix + self.column(field.name) for field in fields)

    def create(self, name: TableName, layout: Layout) -> None:
        """Create a table."""
        columns = [self.definition(field, field.name in layout.key) for field in layout.fields]
        if layout.key:
            columns.append(f"PRIMARY KEY ({', '.join(map(self.column, layout.key))})")
        table = f"{self.unless_there}{self.table(name)}"
        self.execute(f"CREATE TABLE {table} ({', '.join(columns)}){self.table_options}")

    def add_column(self, name: TableName, field: Field) -> None:
        """Add an empty column to a table."""
        column = f"{self.unless_there}{self.definition(field)}"
        self.execute(f"ALTER TABLE {self.table(name)} ADD COLUMN {column}")

    def definition(self, field: Field, required: bool = False) -> str:
        """A column as it stands in CREATE TABLE."""
        return f"{self.column(field.name)} {self.column_type(field)}{' NOT NULL' if required else ''}"

    def present(self, mode: Mode) -> Iterator[int]:
        """Ids of the leads that the target holds and that are not marked as deleted."""
        alive = f"SELECT {self.column('id')} FROM {self.table(self.target)} WHERE {self.alive(mode)}"
        return (row[0] for row in self.select(alive))

    def mark(self, mode: Mode, load: Load) -> int:
        """Mark leads as deleted, except those that a later load has seen; gives how many were marked."""
        marked, moment = 0, self.moment(load.started)
        stamp = self.parameter(Kind.TIMESTAMP)
        changes = [f"{self.column(name)} = {stamp}" for name in (DELETED_AT, SYNCED_AT)]
        values = [moment, moment]
        if mode is Mode.HISTORY:
            changes.append(f"{self.column(VALID_TO)} = {stamp}")
            values.append(moment)
        remaining = iter(load.gone)
        while batch := list(islice(remaining, _BATCH)):
            synced = self.column(SYNCED_AT)
            where = (
                f"{self.alive(mode)} AND ({synced} IS NULL OR {synced} <= {stamp})"
                f" AND {self.column('id')} IN ({', '.join([self.placeholder] * len(batch))})"
            )
            table, arguments = self.table(self.target), [moment, *batch]
            marked += self.one(f"SELECT COUNT(*) FROM {table} WHERE {where}", arguments)[0]
            self.execute(
                f"UPDATE {table} SET {', '.join(changes)}, {self.column(RUN_ID)} = {self.placeholder}"
                f" WHERE {where}",
                [*values, load.run_id, *arguments],
            )
        return marked

    def alive(self, mode: Mode) -> str:
        """The condition that a row stands for a lead that is not known to be deleted."""
        alive = f"{self.column(DELETED_AT)} IS NULL"
        return f"{alive} AND {self.column(VALID_TO)} IS NULL" if mode is Mode.HISTORY else alive
