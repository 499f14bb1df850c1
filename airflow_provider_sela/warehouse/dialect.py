"""What a database calls things: names, types, values and statements. No connection, no I/O."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from airflow_provider_sela.api.content import content_hash, content_of
from airflow_provider_sela.api.leads import Field, Kind, Row
from airflow_provider_sela.storage.csv_lines import csv_line
from airflow_provider_sela.storage.spool import Encoder, Tell
from airflow_provider_sela.warehouse.catalogue import Column
from airflow_provider_sela.warehouse.digests import lead_digester, row_digest, telling_digest
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.tables import DELETED_AT, DIGEST, HASH, SHORT, VALID_TO, Layout, Mode

if TYPE_CHECKING:
    from airflow_provider_sela.api.raw import RawLead


class Dialect:
    """How one database spells what a load says to it.

    A new database gives :attr:`types` and :attr:`accepted`, and overrides what differs of the rest: first
    the attributes, then the methods up to :meth:`update`. What follows below is made of these.
    """

    #: The type that a new column gets.
    types: ClassVar[Mapping[Kind, str]]
    #: Types of existing columns that hold every value of a kind.
    accepted: ClassVar[Mapping[Kind, frozenset[str]]]
    #: The type of short texts, where a key or an index needs a bounded one.
    short_text: ClassVar[str | None] = None
    placeholder: str = "?"
    quote_mark: ClassVar[str] = '"'
    #: Two texts as one.
    joined: ClassVar[str] = "{} || {}"
    #: What stands behind the columns in CREATE TABLE.
    table_options: ClassVar[str] = ""
    #: What makes CREATE TABLE and ADD COLUMN bear that another load was faster.
    if_not_exists: ClassVar[str] = ""

    def fold(self, name: str) -> str:
        """What the database makes of a name without quotes."""
        return name

    def quote(self, name: str) -> str:
        """A checked name as it stands in a statement."""
        return f"{self.quote_mark}{name}{self.quote_mark}"

    def column_type(self, field: Field) -> str:
        """The type that a column gets."""
        return self.short_text if self.short_text and field.name in SHORT else self.types[field.kind]

    def accepts(self, field: Field, column: Column) -> bool:
        """Whether an existing column can hold every value of a field."""
        return not column.type or column.type in self.accepted[field.kind]

    def parameter(self, kind: Kind) -> str:
        """The place of a parameter in a statement."""
        if kind is Kind.TIMESTAMP:
            return f"CAST({self.placeholder} AS {self.types[kind]})"
        return self.placeholder

    def timestamp(self, value: datetime) -> Any:
        """A timestamp as a parameter."""
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def adapt(self, row: Row) -> Row:
        """Adapt a row to limits that only this database has."""
        return row

    def spool_line(self, values: Mapping[str, Any]) -> bytes:
        """A row as a line, in the form that is staged fastest.

        :param values: of all columns that are staged.
        """
        return msgspec.json.encode(values)

    def add_column(self, table: TableName, field: Field) -> str:
        """The statement that adds an empty column to a table."""
        return f"ALTER TABLE {self.table(table)} ADD COLUMN {self.if_not_exists}{self._definition(field)}"

    def update(self, table: str, source: str, sets: Sequence[tuple[str, str]], join: str, where: str) -> str:
        """The statement that updates a table ``t`` by another one, ``s``.

        :param sets: columns of ``t`` and their new values.
        :param join: how rows of both belong together.
        """
        return f"UPDATE {table} AS t SET {self.assignments(sets)} FROM {source} AS s WHERE {join} AND {where}"

    # What follows from it.

    def encoder(self) -> Encoder:
        """Make what makes the lines that are staged in this database."""

        read_digest = lead_digester(self)

        def encode(lead: RawLead, tell: Tell) -> bytes:
            values, nulled, unknown = self.adapt(lead.row())
            tell(nulled, unknown)
            values[HASH] = hashed = content_hash(content_of(values.values()))
            values[DIGEST] = telling_digest(row_digest(read_digest(lead.json), hashed), nulled, unknown)
            return self.spool_line(values)

        return encode

    def column(self, name: str) -> str:
        """One of our own columns as it stands in a statement."""
        return self.quote(self.fold(name))

    def table(self, name: TableName) -> str:
        """A table as it stands in a statement."""
        return ".".join(map(self.quote, name))

    def column_list(self, fields: Iterable[Field], prefix: str = "") -> str:
        """Column names, separated by commas."""
        return ", ".join(prefix + self.column(field.name) for field in fields)

    def placeholders(self, number: int) -> str:
        """Places of several values of the same column, separated by commas."""
        return ", ".join([self.placeholder] * number)

    def assignments(self, sets: Iterable[tuple[str, str]]) -> str:
        """Columns and their new values, as they stand behind SET."""
        return ", ".join(f"{self.column(name)} = {value}" for name, value in sets)

    def not_deleted(self, mode: Mode) -> str:
        """The condition that a row stands for a lead that is not known to be deleted."""
        condition = f"{self.column(DELETED_AT)} IS NULL"
        return f"{condition} AND {self.column(VALID_TO)} IS NULL" if mode is Mode.HISTORY else condition

    def insert(self, table: str, fields: Sequence[Field]) -> str:
        """The statement that inserts one row.

        :param table: as it stands in a statement.
        """
        values = ", ".join(self.parameter(field.kind) for field in fields)
        return f"INSERT INTO {table} ({self.column_list(fields)}) VALUES ({values})"

    def create_table(self, name: TableName, layout: Layout) -> str:
        """The statement that creates a table."""
        table = f"{self.if_not_exists}{self.table(name)}"
        return f"CREATE TABLE {table} ({self.definitions(layout)}){self.table_options}"

    def definitions(self, layout: Layout, *, primary_key: bool = True) -> str:
        """Columns as they stand in CREATE TABLE.

        :param primary_key: whether the layout's key becomes one; its columns are NOT NULL in any case.
        """
        definitions = [self._definition(field, field.name in layout.key) for field in layout.fields]
        if layout.key and primary_key:
            definitions.append(f"PRIMARY KEY ({', '.join(map(self.column, layout.key))})")
        return ", ".join(definitions)

    def _definition(self, field: Field, required: bool = False) -> str:
        return f"{self.column(field.name)} {self.column_type(field)}{' NOT NULL' if required else ''}"


class CsvDialect(Dialect):
    """A database that reads CSV as :mod:`~airflow_provider_sela.storage.csv_lines` writes it, and any row."""

    def encoder(self) -> Encoder:
        """Make what makes lines of the content of rows, without their values."""
        read_digest = lead_digester(self)

        def encode(lead: RawLead, tell: Tell) -> bytes:
            content, nulled, unknown = lead.row_content()
            hashed = content_hash(content)
            digest = row_digest(read_digest(lead.json), hashed)
            if nulled or unknown:
                tell(nulled, unknown)
                return csv_line(content, hashed, telling_digest(digest, nulled, unknown))
            return csv_line(content, hashed, digest)

        return encode
