"""Any database through JDBC, whose driver knows the types of columns, and whose values are Java's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jaydebeapi

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.warehouse.generic import GenericEngine
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.refused import in_memory
from airflow_provider_sela.warehouse.sqlalchemy_dialect import SQLAlchemyDialect
from airflow_provider_sela.warehouse.tables import SHORT, Column, Mode

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

# Embedded in the worker and nowhere else.
_IN_MEMORY = re.compile(r"jdbc:((h2|hsqldb):mem:|derby:memory:|(sqlite|duckdb):(:memory:|$))", re.IGNORECASE)
_ZONED = "timestamp with time zone"
#: Types of ``java.sql.Types`` that a column of ours could have; negative ones beyond -16 are Oracle's and SQL
#: Server's own.
_TYPES = {
    -5: "bigint", 4: "integer", 5: "smallint", -6: "tinyint", 2: "numeric", 3: "numeric",
    16: "boolean", -7: "boolean", 2005: "clob", 2011: "clob", -1: "clob", -16: "clob",
    12: "varchar", -9: "varchar", 93: "timestamp", 2014: _ZONED, -101: _ZONED, -102: _ZONED, -155: _ZONED,
    91: "date", 6: "float", 7: "real", 8: "double", 1: "char", -15: "char", 2004: "blob", -4: "blob",
}  # fmt: skip
# Counts as without a length; a shorter VARCHAR may refuse a text.
_WHOLE_TEXT_CHARACTERS = 16_000_000
# Of Airflow's run ids, the longest of our short texts.
_SHORT_TEXT_CHARACTERS = 250
# Of the largest 64-bit integer.
_INTEGER_DIGITS = 19


_OURS = frozenset(field.name for field in Mode.HISTORY.layout.fields)
#: SQLAlchemy's name of a database by JDBC's.
_DIALECTS = {
    "jdbc:mariadb": "mariadb",
    "jdbc:mysql": "mysql",
    "jdbc:oracle": "oracle",
    "jdbc:postgresql": "postgresql",
    "jdbc:sqlserver": "mssql",
}


class JdbcDialect(SQLAlchemyDialect):
    """Parameters are Java's where Python's cannot be bound; SQL is SQLAlchemy's or the standard's."""

    @property
    def sqlalchemy_name(self) -> str:
        """As the connection's Extra says, or its URL."""
        connection = self._hook.get_connection(self._hook.get_conn_id())
        scheme = str(connection.extra_dejson.get("sqlalchemy_scheme") or "").partition("+")[0]
        protocol = ":".join((connection.host or "").lower().split(":")[:2])
        return scheme or _DIALECTS.get(protocol, "standard")

    def timestamp(self, value: datetime) -> Any:
        """A time of Java's, which no setting of a session or of the JVM can shift."""
        from jpype import JClass

        text = value.astimezone(UTC).isoformat(timespec="microseconds")
        if self.zoned:
            return JClass("java.time.OffsetDateTime").parse(text)
        return JClass("java.time.LocalDateTime").parse(text.removesuffix("+00:00"))

    def accepts(self, field: Field, column: Column) -> bool:
        """Compare the names of :data:`_TYPES`; one that is not there is accepted unseen."""
        if not column.type:
            return True
        if field.kind is Kind.TIMESTAMP:
            return column.type == (_ZONED if self.zoned else "timestamp")
        if field.kind is Kind.INTEGER:
            return column.type in ("bigint", "numeric")
        if field.kind is Kind.BOOLEAN:
            return column.type.partition("(")[0] in ("boolean", "smallint", "tinyint", "integer", "numeric")
        return column.type in ("clob", "varchar") or (field.name in SHORT and column.type == "short varchar")


class JdbcEngine(GenericEngine):
    """Compares and writes as :class:`~.generic.GenericEngine` does."""

    dialect: JdbcDialect

    def __init__(self, hook: DbApiHook, table: str) -> None:
        super().__init__(hook, table, JdbcDialect(hook))

    def open(self) -> Any:
        """Refuse a database that lives in the worker's own memory."""
        conn_id = self.hook.get_conn_id()
        if _IN_MEMORY.match(self.hook.get_connection(conn_id).host or ""):
            raise in_memory(conn_id)
        return super().open()

    def connect(self) -> Any:
        """Read values by a cursor of our own."""
        super().connect()
        return _Cursor(self.connection, {})

    def objections(self, table: TableName, *, create: bool, alter: bool) -> list[str]:
        """Views, which the driver knows, and columns that are always generated, which the standard does."""
        if create:
            return []
        schema = (table[-2] if len(table) > 1 else str(self.connection.jconn.getSchema())).lower()
        named = (schema, table[-1].lower())
        kinds = {
            kind
            for name in {table[-1], table[-1].upper(), table[-1].lower()}
            for found, kind in self._relations(name)
            if found == named
        }
        if any("VIEW" in kind for kind in kinds):
            return ["is a view: leads need a table"]
        return [
            f"column {name.lower()} is always generated: make it GENERATED BY DEFAULT, or a plain one"
            for name in self._generated(*named)
            if name.lower() in _OURS
        ]

    def _generated(self, schema: str, table: str) -> list[str]:
        try:
            rows = self.select(
                "SELECT column_name FROM information_schema.columns WHERE LOWER(table_schema) = ?"
                " AND LOWER(table_name) = ? AND (identity_generation = 'ALWAYS' OR is_generated = 'ALWAYS')",
                [schema, table],
            )
            return [name for (name,) in rows]
        except Exception:  # noqa: BLE001 (not every database has that view, nor all of its columns)
            self.connection.rollback()
            return []

    def _relations(self, name: str) -> Iterator[tuple[tuple[str, str], str]]:
        found = self.connection.jconn.getMetaData().getTables(None, None, name, None)
        while found.next():
            schema, table, kind = (found.getString(f"TABLE_{what}") for what in ("SCHEM", "NAME", "TYPE"))
            yield (str(schema).lower(), str(table).lower()), str(kind).upper()

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Look at the columns of an empty result, and at their types."""
        found = super().columns(table)
        if found is None:
            return None
        types = {name.lower(): kind for name, kind, *_ in self.cursor.description}
        return {name: column._replace(type=types[name]) for name, column in found.items()}


class _Cursor(jaydebeapi.Cursor):
    """The driver's cursor, with Python's values and names, and with whole fractions of seconds."""

    @property
    def description(self) -> Sequence[tuple[Any, ...]] | None:
        if self._meta is None:
            return None
        return [_described(self._meta, place) for place in range(1, self._meta.getColumnCount() + 1)]

    def fetchone(self) -> tuple[Any, ...] | None:
        row = super().fetchone()
        return None if row is None else tuple(map(_python, row))


def _described(meta: Any, place: int) -> tuple[Any, ...]:
    kind = _TYPES.get(meta.getColumnType(place), "")
    size, scale = meta.getPrecision(place), meta.getScale(place)
    if kind == "numeric" and (0 < size < _INTEGER_DIGITS or scale > 0):
        kind = f"numeric({size},{scale})"
    elif kind == "varchar" and size < _WHOLE_TEXT_CHARACTERS:
        kind = "short varchar" if size >= _SHORT_TEXT_CHARACTERS else f"varchar({size})"
    return str(meta.getColumnLabel(place)), kind, None, size, size, scale, meta.isNullable(place) != 0


def _python(value: Any) -> Any:
    """A value of Java's: numbers, texts however long, and times as text."""
    if value is None:
        return None
    if hasattr(value, "getSubString"):
        return str(value.getSubString(1, int(value.length())))
    if hasattr(value, "longValueExact"):
        return int(value.longValueExact())
    return int(value) if isinstance(value, int) else str(value)
