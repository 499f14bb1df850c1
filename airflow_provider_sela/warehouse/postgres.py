"""PostgreSQL: COPY, with psycopg 2 or 3, whichever Airflow's provider uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_sela.api.content import digest
from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.exceptions import (
    SelaSetupError,
    SelaTargetError,
    SelaTargetUnavailableError,
    of_connection,
)
from airflow_provider_sela.storage.csv_lines import csv_cells
from airflow_provider_sela.storage.line_file import in_pieces
from airflow_provider_sela.warehouse.catalogue import Column
from airflow_provider_sela.warehouse.dialect import CsvDialect
from airflow_provider_sela.warehouse.digests import digest_blocks
from airflow_provider_sela.warehouse.failures import TAKES_NO_WRITES
from airflow_provider_sela.warehouse.filling import FillingEngine
from airflow_provider_sela.warehouse.identifiers import TableName, schema_of
from airflow_provider_sela.warehouse.tables import DIGESTS, STAGED

#: Form of the lines, for COPY.
COPY_OPTIONS = r"FORMAT csv, NULL 'null', QUOTE E'\x01', ENCODING 'UTF8'"
# Of rows in memory at once.
_BLOCK_BYTES = 2**18
# "Sela" in ASCII. A load shares this lock, and has one of its table for itself; a load that makes what all
# tables share has it for itself.
_LOCK_KEY = 0x53656C61


_SERVER = re.compile(r"PostgreSQL (\d+)")
_OLDEST_VERSION = 12
#: Encodings that hold every text; SQL_ASCII is none and takes the bytes as they come.
_ENCODINGS = ("UTF8", "SQL_ASCII")
_RELATIONS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence"}


class PostgresDialect(CsvDialect):
    """Lines are COPY's own CSV format. A text with a line feed is more than one line there."""

    types: ClassVar[Mapping[Kind, str]] = {
        Kind.INTEGER: "bigint",
        Kind.TEXT: "text",
        Kind.TIMESTAMP: "timestamp with time zone",
        Kind.BOOLEAN: "boolean",
        Kind.JSON: "jsonb",
    }
    accepted: ClassVar[Mapping[Kind, frozenset[str]]] = {
        Kind.INTEGER: frozenset({"bigint", "numeric"}),
        Kind.TEXT: frozenset({"text", "character varying"}),
        Kind.TIMESTAMP: frozenset({"timestamp with time zone"}),
        Kind.BOOLEAN: frozenset({"boolean"}),
        Kind.JSON: frozenset({"jsonb", "json", "text", "character varying"}),
    }
    placeholder = "%s"

    def fold(self, name: str) -> str:
        """PostgreSQL reads ``Leads`` as ``leads``."""
        return name.lower()


class PostgresEngine(FillingEngine):
    """PostgreSQL 12 and newer."""

    dialect = PostgresDialect()
    staging = "pg_temp._sela_staging"
    digests = "pg_temp._sela_digests"
    # Where a pooler hands the session to somebody else, the table must not outlive the transaction.
    staging_options = " ON COMMIT DROP"

    def connect(self) -> Any:
        """Take the transaction, speak UTF-8, get rows as tuples, whatever the connection and the role say.

        Then ask what no table can help: the server, its encoding, and the right to the staging table.
        """
        self.connection.autocommit = False
        cursor = self._plain_cursor()
        # Types are compared by their names, which would stand in quotes.
        cursor.execute("SET LOCAL quote_all_identifiers = off")
        cursor.execute(
            "SELECT version(), current_setting('server_encoding'),"
            " has_database_privilege(current_database(), 'TEMPORARY'),"
            " current_setting('transaction_read_only'), pg_is_in_recovery()"
        )
        server, encoding, may_stage, read_only, standby = cursor.fetchall()[0]
        self._check_server(server)
        if read_only == "on":
            raise self._read_only(standby)
        if encoding not in _ENCODINGS:
            raise SelaTargetError(
                f"the database is encoded in {encoding}, which cannot hold every text: take one in UTF8"
            )
        if not may_stage:
            raise SelaTargetError("the role may make no temporary tables here: GRANT TEMPORARY ON DATABASE")
        return cursor

    def _plain_cursor(self) -> Any:
        if hasattr(self.connection, "prepare_threshold"):
            from psycopg.rows import tuple_row

            # A statement that was prepared lives in the session, which a pooler hands to somebody else.
            self.connection.prepare_threshold = None
            cursor = self.connection.cursor(row_factory=tuple_row)
            cursor.execute("SET LOCAL client_encoding TO 'UTF8'")
            return cursor
        from psycopg2.extensions import cursor as plain

        self.connection.set_client_encoding("UTF8")
        return self.connection.cursor(cursor_factory=plain)

    def _check_server(self, version: str) -> None:
        """Others speak PostgreSQL's protocol without its keys, locks or temporary tables."""
        number = _SERVER.match(version)
        if number is None or int(number[1]) < _OLDEST_VERSION or "Redshift" in version:
            raise SelaSetupError(
                f"connection {self.hook.get_conn_id()!r} is to a server that calls itself {version[:40]!r}:"
                f" leads need PostgreSQL {_OLDEST_VERSION} or newer. For another database write Parquet files"
                " with SelaLeadsOperator, or use sela_leads() of airflow_provider_sela.dlt"
            )

    def _read_only(self, standby: bool) -> SelaTargetError:
        """A standby may be the primary after the next failover; what a role is set to stays so."""
        kind = SelaTargetUnavailableError if standby else SelaTargetError
        what = "a standby" if standby else "set to transaction_read_only"
        message = f"the database is {what} (25006): {TAKES_NO_WRITES}"
        return kind(of_connection(self.hook.get_conn_id(), message))

    def located(self) -> TableName:
        """The schema in which the search path leads to the table, or in which it would be made: the tables
        beside it belong there, and nowhere else."""
        if len(self.target) > 1:
            return self.target
        (schema,) = self.fetch_one(
            "SELECT COALESCE((SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE pg_class.oid = to_regclass(%s)), current_schema())::text",
            [self.dialect.table(self.target)],
        )
        return self.target if schema is None else (schema, *self.target)

    def lock(self, *, alone: bool) -> None:
        """Let loads into one table write one after another; readers and other writers go on."""
        if alone:
            self.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
            return
        self.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK_KEY])
        name = bytes.fromhex(digest("\0".join(self.target).encode())[:8])
        key = int.from_bytes(name, "big", signed=True)
        self.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_KEY, key])

    def objections(self, table: TableName, *, create: bool, alter: bool) -> list[str]:
        """Views and the like, schemas that are not there, and rights that the role lacks."""
        if create:
            return self._objections_to_creating(table)
        rows = self.select(
            "SELECT relkind::text, pg_has_role(relowner, 'USAGE'),"
            " EXISTS (SELECT FROM pg_rewrite WHERE ev_class = pg_class.oid AND is_instead)"
            " FROM pg_class WHERE oid = to_regclass(%s)",
            [self.dialect.table(table)],
        )
        found = []
        for kind, owned, instead in list(rows):
            if kind not in ("r", "p"):
                found.append(f"is {_RELATIONS.get(kind, 'no table')}: leads need a table")
            elif instead:
                found.append("has a rule that does something else instead: DROP RULE")
            if alter and not owned:
                found.append("lacks columns, and only its owner may add them")
        return found

    def _objections_to_creating(self, table: TableName) -> list[str]:
        schema = schema_of(table)
        rows = self.select(
            "SELECT nspname::text, has_schema_privilege(oid, 'CREATE') FROM pg_namespace"
            " WHERE nspname = COALESCE(%s, current_schema())",
            [schema],
        )
        for name, allowed in list(rows):
            return [] if allowed else [f"the role may create nothing in schema {name}: GRANT CREATE"]
        if schema is None:
            return ["search_path names no schema that is there: write schema.table, or set it"]
        return [f"there is no schema {schema}: create it"]

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Ask the catalogue, which follows the search path as statements do."""
        # A domain may have a NOT NULL and a default of its own.
        rows = self.select(
            "SELECT attname, format_type(atttypid, atttypmod)"
            " || CASE WHEN attidentity = 'a' OR attgenerated <> '' THEN ' generated always' ELSE '' END,"
            " NOT (attnotnull OR typnotnull),"
            " atthasdef OR attidentity <> '' OR attgenerated <> '' OR typdefault IS NOT NULL"
            " FROM pg_attribute JOIN pg_type t ON t.oid = atttypid"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [self.dialect.table(table)],
        )
        return {name: Column(*column) for name, *column in rows} or None

    def unique_keys(self, table: TableName) -> list[frozenset[str]]:
        """Unique indexes of whole columns and whole tables."""
        return self.keys_of(
            "SELECT indexrelid::bigint, attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid"
            " AND attnum = ANY((indkey::int2[])[0:indnkeyatts - 1]) WHERE indrelid = to_regclass(%s)"
            " AND indisunique AND indpred IS NULL AND indexprs IS NULL",
            [self.dialect.table(table)],
        )

    def fill(self, lines: Iterable[bytes]) -> None:
        """Send rows as they are made, then let the planner know how many leads it was."""
        self._send(self.staging, STAGED, _blocks(lines))
        # Of all columns it would take nearly half as long as the COPY.
        self.execute(f"ANALYZE {self.staging} ({self.dialect.column('id')})")

    def fill_digests(self, rows: Iterator[tuple[int, int, str]]) -> None:
        """Send them as CSV."""
        self._send(self.digests, DIGESTS.fields, (block + b"\n" for block in digest_blocks(rows)))

    def fill_target(self, lines: Iterable[bytes], added: Sequence[tuple[Field, Any]]) -> None:
        """Send rows as they are made."""
        same = b"," + csv_cells(value for _, value in added)
        fields = [*STAGED, *(field for field, _ in added)]
        self._send(self.dialect.table(self.target), fields, _blocks(lines, same))

    def takes_all(self) -> bool:
        """Not where COPY is refused, as under row-level security, or does other things than INSERT."""
        (free,) = self.fetch_one(
            "SELECT NOT (relrowsecurity OR relhasrules OR relhastriggers) FROM pg_class"
            " WHERE oid = to_regclass(%s)",
            [self.dialect.table(self.target)],
        )
        return bool(free)

    def _send(self, table: str, fields: Sequence[Field], blocks: Iterator[bytes]) -> None:
        sql = f"COPY {table} ({self.dialect.column_list(fields)}) FROM STDIN WITH ({COPY_OPTIONS})"
        if hasattr(self.cursor, "copy_expert"):
            self._copy(sql, _Reader(blocks))
        else:
            with self.cursor.copy(sql) as copy:
                for block in blocks:
                    copy.write(block)

    def _copy(self, sql: str, reader: _Reader) -> None:
        try:
            self.cursor.copy_expert(sql, reader, _BLOCK_BYTES)
        except Exception:
            if reader.failure is None:
                raise
        # psycopg 2 raises an error of its own for one that was raised while it read.
        if reader.failure is not None:
            raise reader.failure


def _blocks(lines: Iterable[bytes], end: bytes = b"") -> Iterator[bytes]:
    """Many lines at a time, each with what belongs to its end."""
    return ((end + b"\n").join([*piece, b""]) for piece in in_pieces(lines, _BLOCK_BYTES))


class _Reader:
    """Blocks as the file that psycopg 2 reads.

    :ivar failure: what was raised while a block was made.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = b""
        self.failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        try:
            while len(self._left) < size and (block := next(self._blocks, b"")):
                self._left += block
        except BaseException as error:
            self.failure = error
            raise
        data, self._left = self._left[:size], self._left[size:]
        return data
