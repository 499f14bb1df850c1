"""PostgreSQL: COPY, with psycopg 2 or 3, whichever Airflow's provider uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from airflow_provider_sela.api.leads import Kind
from airflow_provider_sela.storage.csv_lines import escaped, needs_no_escape
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.dialect import Dialect
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.staged import StagedEngine
from airflow_provider_sela.warehouse.tables import HASH, STAGED, Column

#: Form of the spooled lines, for COPY.
COPY_OPTIONS = r"FORMAT csv, NULL 'null', ESCAPE E'\\', ENCODING 'UTF8'"
# Of the spool in memory at once.
_BLOCK_BYTES = 2**18
# "Sela" in ASCII. One lock for all loads into a database: it is held for the writing, not for the reading.
_LOCK_KEY = 0x53656C61


class PostgresDialect(Dialect):
    """The spool holds rows in COPY's own CSV format. A text with a line feed is more than one line there."""

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

    def spool_line(self, values: Mapping[str, Any], content: bytes) -> bytes:
        """A row in COPY's CSV format; half as long to make as COPY's text format, and an eighth larger."""
        return (
            b'%b,"%b"' % (content[1:-1], values[HASH].encode())
            if needs_no_escape(values)
            else escaped(values)
        )


class PostgresEngine(StagedEngine):
    """PostgreSQL 12 and newer. The spool is sent as it is."""

    dialect = PostgresDialect()
    staging = "pg_temp._sela_staging"
    # Where a pooler hands the session to somebody else, the table must not outlive the transaction.
    staging_options = " ON COMMIT DROP"

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

    def lock(self) -> None:
        """Let loads write one after another; readers and other writers go on."""
        self.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Ask the catalogue, which follows the search path as statements do."""
        rows = self.select(
            "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull,"
            " atthasdef OR attidentity <> '' OR attgenerated <> ''"
            " FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [self.dialect.table(table)],
        )
        return {name: Column(*column) for name, *column in rows} or None

    def fill(self, spool: Spool) -> None:
        """Send the spool, then let the planner know how many leads it was."""
        sql = f"COPY {self.staging} ({self.dialect.column_list(STAGED)}) FROM STDIN WITH ({COPY_OPTIONS})"
        with Path(spool.path()).open("rb") as lines:
            lines.seek(0)
            if hasattr(self.cursor, "copy_expert"):
                self.cursor.copy_expert(sql, lines, _BLOCK_BYTES)
            else:
                with self.cursor.copy(sql) as copy:
                    while block := lines.read(_BLOCK_BYTES):
                        copy.write(block)
        # Of all columns it would take nearly half as long as the COPY.
        self.execute(f"ANALYZE {self.staging} ({self.dialect.column('id')})")
