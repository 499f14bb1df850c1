"""MySQL and MariaDB: multi-row INSERT, with mysqlclient or mysql-connector-python as the connection says."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sela.api.leads import EXTRA, INVALID, Field, Kind, Row, canonical_json
from airflow_provider_sela.exceptions import (
    SelaSetupError,
    SelaTargetError,
    SelaTargetUnavailableError,
    of_connection,
)
from airflow_provider_sela.storage.line_file import in_pieces
from airflow_provider_sela.warehouse.catalogue import Column
from airflow_provider_sela.warehouse.dialect import Dialect
from airflow_provider_sela.warehouse.failures import TAKES_NO_WRITES
from airflow_provider_sela.warehouse.identifiers import TableName, schema_of
from airflow_provider_sela.warehouse.mysql_catalogue import NAMED, Catalogue
from airflow_provider_sela.warehouse.staged import StagedEngine
from airflow_provider_sela.warehouse.tables import SHORT, STAGED

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

_TIMES = tuple(field.name for field in STAGED if field.kind is Kind.TIMESTAMP)
# MariaDB's JSON functions, its check of JSON columns among them, stop at 32 levels (MySQL: 100).
_DEEPEST_LEVELS = 30
# Of another load that writes; the error has it in words.
_LOCK_WAIT_SECONDS = 600
# The smallest default of max_allowed_packet in use is 16 MB, and quoting makes lines longer.
_STATEMENT_BYTES = 4_000_000
_STATEMENT_ROWS = 1000


# Without NO_AUTO_VALUE_ON_ZERO a lead with id 0 would get the next number of an AUTO_INCREMENT column.
_SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
# As some hosts set the opposite: no statement without a key, answers of a thousand rows, small joins.
_WHOLE_ANSWERS = "sql_safe_updates = 0, sql_select_limit = 18446744073709551615, sql_big_selects = 1"
_ASKED = ("enforce_storage_engine", "innodb_read_only", "tx_read_only", "transaction_read_only")
# Unicode without gaps; columns without an encoding are no text.
_ENCODINGS = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")


class MySQLDialect(Dialect):
    """Times are UTC, because DATETIME has no time zone."""

    types: ClassVar[Mapping[Kind, str]] = {
        Kind.INTEGER: "BIGINT",
        Kind.TEXT: "LONGTEXT",
        Kind.TIMESTAMP: "DATETIME(6)",
        Kind.BOOLEAN: "TINYINT(1)",
        Kind.JSON: "JSON",
    }
    accepted: ClassVar[Mapping[Kind, frozenset[str]]] = {
        Kind.INTEGER: frozenset({"bigint", "bigint(20)"}),
        Kind.TEXT: frozenset({"longtext", "mediumtext"}),
        Kind.TIMESTAMP: frozenset({"datetime(6)"}),
        Kind.BOOLEAN: frozenset({"tinyint(1)", "tinyint", "tinyint(4)"}),
        Kind.JSON: frozenset({"json", "longtext"}),
    }
    # Airflow's run ids have at most 250 characters.
    short_text = "VARCHAR(250)"
    placeholder = "%s"
    quote_mark = "`"
    # Two bars are OR.
    joined = "CONCAT({}, {})"
    # Text is compared exactly, as everywhere else. A server's default engine may know no transactions.
    # Older row formats have no room for as many texts and keys.
    table_options = " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

    def parameter(self, kind: Kind) -> str:
        """Both drivers join rows into one INSERT only where parameters stand bare."""
        return self.placeholder

    def timestamp(self, value: datetime) -> str:
        """DATETIME has no time zone: everything is UTC."""
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def accepts(self, field: Field, column: Column) -> bool:
        """Short texts fit into any VARCHAR that was made for them."""
        return super().accepts(field, column) or (field.name in SHORT and column.type == "varchar(250)")

    def adapt(self, row: Row) -> Row:
        """JSON that is nested too deeply becomes NULL; ``extra`` keeps its text, as of other bad values."""
        deep = {name: text for name in ("metadata", EXTRA.name) if _too_deep(text := row.values[name])}
        if not deep:
            return row
        kept = row.values[EXTRA.name]
        extra = json.loads(str(kept)) if kept and EXTRA.name not in deep else {}
        invalid = extra.get(INVALID, {})
        extra[INVALID] = {**(invalid if isinstance(invalid, dict) else {INVALID: invalid}), **deep}
        values = {**row.values, **dict.fromkeys(deep), EXTRA.name: canonical_json(extra)}
        return row._replace(values=values, nulled=(*row.nulled, *deep))

    def spool_line(self, values: Mapping[str, Any]) -> bytes:
        """As JSON, with timestamps in the form that DATETIME takes."""
        times = {name: _naive(values[name]) for name in _TIMES}
        return super().spool_line({**values, **times})

    def update(self, table: str, source: str, sets: Sequence[tuple[str, str]], join: str, where: str) -> str:
        """The same UPDATE, in MySQL's order of clauses."""
        assignments = ", ".join(f"t.{self.column(name)} = {value}" for name, value in sets)
        return f"UPDATE {table} t JOIN {source} s ON {join} SET {assignments} WHERE {where}"


class MySQLEngine(StagedEngine):
    """MySQL 8 and MariaDB 10.6, or newer, on InnoDB.

    A table that a load creates stays, empty, if that load fails: neither database can take DDL back.
    """

    dialect = MySQLDialect()
    transactional_ddl = False
    digests_key = True

    def __init__(self, hook: DbApiHook, table: str) -> None:
        super().__init__(hook, table)
        self.staging = self.dialect.table((*self.target[:-1], "_sela_staging"))
        self.digests = self.dialect.table((*self.target[:-1], "_sela_digests"))

    def connect(self) -> Any:
        """Speak UTF-8 and have bad values refused: without strict mode, text is cut off in silence."""
        if hasattr(self.connection, "set_charset_collation"):
            self.connection.set_charset_collation("utf8mb4", "utf8mb4_bin")
        else:
            self.connection.set_character_set("utf8mb4", "utf8mb4_bin")
        cursor = self._plain_cursor()
        cursor.execute(f"SET SESSION sql_mode = '{_SQL_MODE}', {_WHOLE_ANSWERS}")
        # With READ COMMITTED, a server that keeps its binary log by statements refuses every write.
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(f"SHOW VARIABLES WHERE variable_name IN ({', '.join(map(repr, _ASKED))})")
        self._check_server({name: str(value).lower() for name, value in cursor.fetchall()})
        return cursor

    def _check_server(self, settings: Mapping[str, str]) -> None:
        """What no table can help."""
        conn_id = self.hook.get_conn_id()
        if settings.get(_ASKED[0], "") not in ("", "none", "innodb"):
            message = (
                "the server's enforce_storage_engine allows no table of InnoDB, the engine with transactions"
            )
            raise SelaSetupError(of_connection(conn_id, message))
        on = [name for name in _ASKED[1:] if settings.get(name) in ("on", "1")]
        if on:
            # A reader may be the writer after the next failover; what a server gives its sessions stays so.
            kind = SelaTargetUnavailableError if on[0] == "innodb_read_only" else SelaTargetError
            raise kind(of_connection(conn_id, f"the server has {on[0]} on: {TAKES_NO_WRITES}"))

    def located(self) -> TableName:
        """The name that is stored, where the server compares without case (``lower_case_table_names``)."""
        (folding,) = self.fetch_one("SELECT @@lower_case_table_names")
        if not folding:
            return self.target
        rows = self.select(
            f"SELECT table_name FROM information_schema.tables WHERE {NAMED}", self._named(self.target)
        )
        return (*self.target[:-1], next((name for (name,) in rows), self.target[-1]))

    def _plain_cursor(self) -> Any:
        """A cursor that fetches at once, into tuples, whatever the connection's Extra says."""
        if hasattr(self.connection, "cursorclass"):
            from MySQLdb.cursors import Cursor

            return self.connection.cursor(Cursor)
        return self.connection.cursor()

    def begin(self) -> None:
        """Begin, whatever autocommit is, and see what other loads have committed while this one waited."""
        self.execute("START TRANSACTION")

    def lock(self, *, alone: bool) -> None:
        """Let loads write one after another; the lock ends with the connection."""
        if self.fetch_one("SELECT GET_LOCK('airflow_provider_sela', %s)", [_LOCK_WAIT_SECONDS])[0] != 1:
            raise SelaTargetUnavailableError(
                "another load has been writing for ten minutes: run this one again"
            )

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Ask the information schema; column names are compared without case, as the databases do."""
        rows = self.select(
            "SELECT LOWER(column_name), LOWER(column_type), is_nullable = 'YES',"
            " column_default IS NOT NULL OR extra <> '', LOWER(character_set_name), LOWER(extra)"
            f" FROM information_schema.columns WHERE {NAMED}",
            self._named(table),
        )
        return {
            name: Column(_whole_type(kind, encoding, extra), bool(null), bool(filled))
            for name, kind, null, filled, encoding, extra in rows
        } or None

    def objections(self, table: TableName, *, create: bool, alter: bool) -> list[str]:
        """What the information schema and the grants say."""
        return Catalogue(self, table, self._named(table)).objections(create=create, alter=alter)

    def _named(self, table: TableName) -> list[str | None]:
        return [table[-1], schema_of(table)]

    def unique_keys(self, table: TableName) -> list[frozenset[str]]:
        """Unique indexes, the primary key among them."""
        return self.keys_of(
            "SELECT index_name, LOWER(column_name) FROM information_schema.statistics"
            f" WHERE non_unique = 0 AND {NAMED}",
            self._named(table),
        )

    def fill(self, lines: Iterable[bytes]) -> None:
        """Insert many rows with each statement, but not more than a packet takes."""
        (packet,) = self.fetch_one("SELECT @@max_allowed_packet")
        for piece in in_pieces(lines, min(_STATEMENT_BYTES, packet // 4), _STATEMENT_ROWS):
            longest = max(map(len, piece))
            try:
                self.insert(self.staging, STAGED, self.rows(piece))
            except Exception:
                # Quoting makes a line longer, by half at most of what is one. The server may just hang up.
                if longest * 2 < packet:
                    raise
                too_long = f"a lead of {longest} bytes is more than the server's max_allowed_packet takes"
            else:
                continue
            # Raised outside the handler: a context would lead to the lead.
            raise SelaTargetError(f"{too_long} ({packet}), and nothing was written: raise it")


def _whole_type(kind: str, encoding: str | None, extra: str) -> str:
    """A type with what keeps a value out: an encoding with gaps, an expression that fills the column."""
    gaps = "" if encoding in (None, *_ENCODINGS) else f" character set {encoding}"
    return f"{kind}{gaps}{' generated always' if extra.startswith(('stored', 'virtual')) else ''}"


def _naive(timestamp: str | None) -> str | None:
    return None if timestamp is None else timestamp[:26].replace("T", " ")


def _too_deep(text: object) -> bool:
    if not isinstance(text, str) or text.count("[") + text.count("{") <= _DEEPEST_LEVELS:
        return False
    return max(_depths(json.loads(text))) > _DEEPEST_LEVELS


def _depths(value: Any, depth: int = 0) -> Iterator[int]:
    yield depth
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from _depths(item, depth + 1)
