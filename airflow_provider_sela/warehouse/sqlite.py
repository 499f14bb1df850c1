"""SQLite: one explicit transaction."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_sela.api.leads import LEAD_FIELDS, Field, Kind
from airflow_provider_sela.warehouse.catalogue import Column
from airflow_provider_sela.warehouse.dialect import Dialect
from airflow_provider_sela.warehouse.filling import FillingEngine
from airflow_provider_sela.warehouse.identifiers import TableName, schema_of
from airflow_provider_sela.warehouse.refused import in_memory, refuse_relative
from airflow_provider_sela.warehouse.tables import STAGED

_BOOLEANS = [field.name for field in LEAD_FIELDS if field.kind is Kind.BOOLEAN]
_STRICT = re.compile(r"\)[^)]*\bSTRICT\b[^)]*$", re.IGNORECASE)
_LENGTH = re.compile(r" *\([^)]*\)")
# Another load has the lock from staging to commit, not while it reads.
_LOCK_WAIT_MILLISECONDS = 60_000
_TRIED = "_sela_tried"
#: Results that do not pass; a lock and a full disk may.
_UNWRITABLE = ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY")


class SQLiteDialect(Dialect):
    """Columns take any value: timestamps are ISO 8601 text in UTC, which sorts by time."""

    types: ClassVar[Mapping[Kind, str]] = {
        Kind.INTEGER: "INTEGER",
        Kind.TEXT: "TEXT",
        Kind.TIMESTAMP: "TEXT",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.JSON: "TEXT",
    }
    accepted: ClassVar[Mapping[Kind, frozenset[str]]] = {
        Kind.INTEGER: frozenset({"integer", "bigint", "int", "int8"}),
        Kind.TEXT: frozenset({"text", "varchar", "clob"}),
        Kind.TIMESTAMP: frozenset({"text", "varchar", "datetime", "timestamp"}),
        Kind.BOOLEAN: frozenset({"boolean", "bool", "integer", "tinyint", "int"}),
        Kind.JSON: frozenset({"text", "varchar", "clob"}),
    }


class SQLiteEngine(FillingEngine):
    """SQLite, in a file."""

    dialect = SQLiteDialect()
    staging = "temp._sela_staging"
    digests = "temp._sela_digests"
    digests_key = True
    # Run, they would wait for the lock of another load.
    rehearsed = "EXPLAIN {}"

    def open(self) -> Any:
        """Refuse a file that would be made in the worker's own folder."""
        connection = self.hook.get_connection(self.hook.get_conn_id())
        if connection.extra_dejson.get("mode") != "memory":
            refuse_relative(connection)
        return super().open()

    def connect(self) -> Any:
        """Take the transaction from Python's driver, which would commit before DDL."""
        # However it is spelled, a database in memory or in a file without a name ends with the connection.
        files = {name: file for _, name, file in self.connection.execute("PRAGMA database_list")}
        if not files["main"]:
            raise in_memory(self.hook.get_conn_id())
        self.connection.isolation_level = None
        self._try_writing()
        self.connection.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_MILLISECONDS}")
        return self.connection.cursor()

    def _try_writing(self) -> None:
        """Begin to make a table and take it back: nothing else shows that a file or folder is read-only."""
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute(f"CREATE TABLE main.{_TRIED} (id INTEGER)")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(_UNWRITABLE):
                raise
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def located(self) -> TableName:
        """The case in which the table was made: names are compared without it."""
        schema = self.dialect.quote(self.target[-2] if len(self.target) > 1 else "main")
        rows = self.select(
            f"SELECT name FROM {schema}.sqlite_master WHERE type IN ('table', 'view')"
            " AND name = ? COLLATE NOCASE",
            [self.target[-1]],
        )
        return (*self.target[:-1], next((name for (name,) in rows), self.target[-1]))

    def begin(self) -> None:
        """Become the one writer at once: a reader that turns into a writer could be refused halfway."""
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit what :meth:`begin` began."""
        self.execute("COMMIT")

    def objections(self, table: TableName, *, create: bool, alter: bool) -> list[str]:
        """A view takes no rows; a virtual table knows neither keys nor the transaction for certain; a STRICT
        one takes no column of a type that SQLite does not know."""
        schema = self.dialect.quote(schema_of(table) or "main")
        found = self.select(
            f"SELECT type, sql FROM {schema}.sqlite_master"
            " WHERE lower(name) = lower(?) AND type IN ('table', 'view')",
            [table[-1]],
        )
        return [words for kind, made in found if (words := self._objection(table, kind, made))]

    def _objection(self, table: TableName, kind: str, made: str) -> str:
        if kind == "view" or made.upper().startswith("CREATE VIRTUAL"):
            return f"is a {'view' if kind == 'view' else 'virtual table'}: leads need a table"
        there = self.columns(table) or {}
        lacking = [name for name in _BOOLEANS if name not in there]
        if lacking and _STRICT.search(made):
            return f"is STRICT, which knows no BOOLEAN: add {', '.join(lacking)} as INTEGER"
        return ""

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Ask the pragma; a length such as in ``VARCHAR(20)`` means nothing to SQLite."""
        rows = self.select(
            "SELECT lower(name), lower(type) || CASE hidden WHEN 0 THEN '' ELSE ' generated always' END,"
            ' NOT "notnull", dflt_value IS NOT NULL OR hidden > 0'
            " FROM pragma_table_xinfo(?, ?)",
            [table[-1], schema_of(table) or "main"],
        )
        return {name: Column(_LENGTH.sub("", kind), *rest) for name, kind, *rest in rows} or None

    def unique_keys(self, table: TableName) -> list[frozenset[str]]:
        """The primary key, which has no index where it is the row's number, and unique indexes."""
        name = [table[-1], schema_of(table) or "main"]
        return self.keys_of(
            "SELECT '', lower(name) FROM pragma_table_xinfo(?, ?) WHERE pk > 0"
            " UNION ALL SELECT keys.name, lower(columns.name) FROM pragma_index_list(?, ?) keys,"
            ' pragma_index_info(keys.name, ?) columns WHERE keys."unique" AND NOT keys.partial',
            [*name, *name, name[1]],
        )

    def fill(self, lines: Iterable[bytes]) -> None:
        """Insert row by row, without a round trip to anywhere."""
        self.insert(self.staging, STAGED, self.rows(lines))

    def fill_target(self, lines: Iterable[bytes], added: Sequence[tuple[Field, Any]]) -> None:
        """The same, into the target."""
        same = [value for _, value in added]
        fields = [*STAGED, *(field for field, _ in added)]
        rows = ((*row, *same) for row in self.rows(lines))
        self.insert(self.dialect.table(self.target), fields, rows)

    def takes_all(self) -> bool:
        """Not where a trigger meets each row."""
        schema = self.dialect.quote(self.target[-2] if len(self.target) > 1 else "main")
        (triggers,) = self.fetch_one(
            f"SELECT COUNT(*) FROM {schema}.sqlite_master"
            " WHERE type = 'trigger' AND lower(tbl_name) = lower(?)",
            [self.target[-1]],
        )
        return not triggers
