"""What DuckDB calls things, and the query by which it reads lines of rows."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.warehouse.dialect import CsvDialect
from airflow_provider_sela.warehouse.tables import DIGEST, HASH, STAGED


class DuckDBDialect(CsvDialect):
    """DuckDB reads lines of rows by a query of its own."""

    types: ClassVar[Mapping[Kind, str]] = {
        Kind.INTEGER: "BIGINT",
        Kind.TEXT: "VARCHAR",
        Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.JSON: "JSON",
    }
    accepted: ClassVar[Mapping[Kind, frozenset[str]]] = {
        Kind.INTEGER: frozenset({"bigint", "hugeint"}),
        Kind.TEXT: frozenset({"varchar"}),
        Kind.TIMESTAMP: frozenset({"timestamp with time zone"}),
        Kind.BOOLEAN: frozenset({"boolean"}),
        Kind.JSON: frozenset({"json", "varchar"}),
    }

    def _definition(self, field: Field, required: bool = False) -> str:
        """Random digits are hardly smaller when packed, and all of a column are packed again with each change
        of one."""
        plain = " USING COMPRESSION uncompressed" if field.name in (HASH, DIGEST) else ""
        return super()._definition(field, required) + plain

    def spool_query(self, longest: int, same: Sequence[str] = ()) -> str:
        """The query that reads a file of rows; its last parameter is the path.

        :param longest: bytes of the longest line.
        :param same: what stands in all rows beside, as it stands in a statement.
        """
        # Read as text first: only the cast is exact for timestamps and for JSON that is itself a string.
        exact = (Kind.INTEGER, Kind.BOOLEAN)
        read = ", ".join(
            f"'{name}': '{self.types[kind] if kind in exact else self.types[Kind.TEXT]}'"
            for name, kind in STAGED
        )
        casts = (f"CAST({self.column(field.name)} AS {self.types[field.kind]})" for field in STAGED)
        typed = ", ".join([*casts, *same])
        # In parallel, DuckDB guesses where lines begin, and texts may hold what looks like some.
        return (
            f"SELECT {typed} FROM read_csv(?, auto_detect = false, header = false, columns = {{{read}}},"
            f" delim = ',', quote = '\x01', escape = '\x01', new_line = '\\n', nullstr = 'null',"
            f" allow_quoted_nulls = false, parallel = false, max_line_size = {longest},"
            f" buffer_size = {2 * longest})"
        )
