"""Snowflake: PUT from memory, COPY INTO a temporary table, and a lock where the database has none."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any, ClassVar

import msgspec

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetError, SelaTargetUnavailableError
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.catalogue import Column
from airflow_provider_sela.warehouse.dialect import Dialect
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.staged import StagedEngine
from airflow_provider_sela.warehouse.tables import STAGED, Layout, Load, Mode

#: Everything of the session that changes what a load does, whatever the account, the user or the connection
#: says. A killed worker's statement ends after 5 minutes (``ABORT_DETACHED_QUERY``), and so does its idle
#: transaction once another waits for it, hence the longer ``LOCK_TIMEOUT``, in seconds. Source:
#: docs.snowflake.com, "Parameters" and "Transactions".
SESSION: Mapping[str, Any] = {
    "ABORT_DETACHED_QUERY": True,
    "AUTOCOMMIT": True,
    "ERROR_ON_NONDETERMINISTIC_UPDATE": True,
    "LOCK_TIMEOUT": 900,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "TIMEZONE": "UTC",
}
_SPOOLED = "_SELA_SPOOL"
_LOCK = "_sela_lock"
_LOCKED = Field("locked", Kind.INTEGER)
# One part is held in memory, compressed; the parts of a large load are read side by side by the warehouse.
_PART_BYTES = 64 * 2**20
# The length of a VARCHAR that was created without one.
_WHOLE_TEXT_CHARACTERS = 16_777_216
# Number of the error for an object that does not exist or may not be seen.
_MISSING_ERRNO = 2003
_LOGGER = logging.getLogger("snowflake.connector")


class SnowflakeDialect(Dialect):
    """Times are TIMESTAMP_TZ: an instant with the offset that was written, here always UTC.

    Neither the instant nor what a reader sees depends on a session's TIMEZONE. Of TIMESTAMP_LTZ only the
    first holds, of TIMESTAMP_NTZ neither.
    """

    types: ClassVar[Mapping[Kind, str]] = {
        Kind.INTEGER: "BIGINT",
        Kind.TEXT: "VARCHAR",
        Kind.TIMESTAMP: "TIMESTAMP_TZ",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.JSON: "VARIANT",
    }
    accepted: ClassVar[Mapping[Kind, frozenset[str]]] = {
        Kind.INTEGER: frozenset(f"number({n},0)" for n in range(19, 39)),
        Kind.TEXT: frozenset({"varchar"}),
        Kind.TIMESTAMP: frozenset(
            f"timestamp_{kind}({digits})" for kind in ("tz", "ltz") for digits in "6789"
        ),
        Kind.BOOLEAN: frozenset({"boolean"}),
        Kind.JSON: frozenset({"variant"}),
    }
    placeholder = "%s"
    # Two first loads at once make the same tables.
    if_not_exists = "IF NOT EXISTS "

    def fold(self, name: str) -> str:
        """Snowflake reads ``Leads`` as ``LEADS``."""
        return name.upper()

    def update(self, table: str, source: str, sets: Sequence[tuple[str, str]], join: str, where: str) -> str:
        """The same UPDATE; Snowflake documents its aliases without AS."""
        return f"UPDATE {table} t SET {self.assignments(sets)} FROM {source} s WHERE {join} AND {where}"

    def typed(self, field: Field) -> str:
        """A value of a spooled line as a column takes it."""
        text = f'"ROW":"{field.name}"::VARCHAR'
        if field.kind is Kind.JSON:
            return f"PARSE_JSON({text})"
        if field.kind is Kind.TIMESTAMP:
            return f"{text}::{self.types[field.kind]}"
        return f'"ROW":"{field.name}"::{self.types[field.kind]}'


class SnowflakeEngine(StagedEngine):
    """Snowflake, with the connector that Airflow's provider uses.

    Snowflake enforces no primary key and has no lock to ask for, so two loads at once could both insert a
    lead. They queue on ``_SELA_LOCK``, a table of one row beside the target that each transaction updates
    first: an UPDATE waits for the transaction that updated before. DDL commits by itself.
    """

    dialect = SnowflakeDialect()
    transactional_ddl = False
    auxiliary_tables: ClassVar[Mapping[str, Layout]] = {_LOCK: Layout((_LOCKED,))}
    staging = '"_SELA_STAGING"'
    digests = '"_SELA_DIGESTS"'
    staging_key = False

    def __enter__(self) -> SnowflakeEngine:
        # At DEBUG the connector logs answers of the server, and those quote what it refuses.
        self._level = _LOGGER.level
        _LOGGER.setLevel(max(logging.INFO, _LOGGER.getEffectiveLevel()))
        try:
            super().__enter__()
        except BaseException:
            _LOGGER.setLevel(self._level)
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            super().__exit__(*exc_info)
        finally:
            _LOGGER.setLevel(self._level)

    def open(self) -> Any:
        """Log in with :data:`SESSION` on top of the connection's own session parameters."""
        hook: Any = self.hook
        own = hook.session_parameters or hook.get_connection(hook.get_conn_id()).extra_dejson.get(
            "session_parameters"
        )
        hook.session_parameters = {**(own or {}), **SESSION}
        return super().open()

    def connect(self) -> Any:
        """Make the target's schema the current one, where temporary tables and their stages belong."""
        from snowflake.connector.errors import ProgrammingError

        cursor = self.connection.cursor()
        schema = self.dialect.table(self.target[:-1])
        try:
            if schema:
                cursor.execute(f"USE SCHEMA {schema}")
        except ProgrammingError as error:
            code = error.errno
        else:
            code = None
        if code is not None:
            raise SelaTargetError(f"there is no schema {schema} that the connection's role may use ({code})")
        missing = [name for name in ("database", "schema", "warehouse") if not getattr(self.connection, name)]
        if missing:
            raise SelaSetupError(
                f"connection {self.hook.get_conn_id()!r} gives no {' and no '.join(missing)} that its role"
                " may use: set it in the connection"
            )
        self._numbers = count()
        return cursor

    def begin(self) -> None:
        """Begin, and wait until the transaction of every other load has ended."""
        dialect = self.dialect
        lock, locked = dialect.quote(dialect.fold(_LOCK)), dialect.column(_LOCKED.name)
        self.execute(f"INSERT INTO {lock} ({locked}) SELECT COUNT(*) FROM {lock} HAVING COUNT(*) = 0")
        self.execute("BEGIN TRANSACTION")
        self.execute(f"UPDATE {lock} SET {locked} = 1")

    def commit(self) -> None:
        """End what :meth:`begin` began."""
        self.execute("COMMIT")

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Describe the table. A name that was quoted in lower case is a column of somebody else."""
        from snowflake.connector.errors import ProgrammingError

        try:
            described = list(self.select(f"DESCRIBE TABLE {self.dialect.table(table)}"))
        except ProgrammingError as error:
            if error.errno != _MISSING_ERRNO:
                raise
            return None
        return {
            name.lower() if name == name.upper() else f'"{name}"': Column(
                _plain_type(kind), nullable == "Y", bool(default)
            )
            for name, kind, _, nullable, default, *_ in described
        }

    def stage(self, spool: Spool, mode: Mode, load: Load) -> None:
        """Make the table that takes what is sent, too."""
        self.execute(f'CREATE TEMPORARY TABLE "{_SPOOLED}" ("ROW" VARIANT)')
        super().stage(spool, mode, load)

    def fill(self, lines: Iterable[bytes]) -> None:
        """Send rows in compressed parts, none of which touches the worker's disk."""
        self._bulk(self.staging, STAGED, lines)

    def insert(
        self, table: str, fields: Sequence[Field], rows: Iterable[Sequence[Any]], batch_rows: int = 0
    ) -> int:
        """Take the bulk path too: values that stand in a statement stay in Snowflake's query history."""
        names = [field.name for field in fields]
        lines = (msgspec.json.encode(dict(zip(names, row, strict=True))) for row in rows)
        return self._bulk(table, fields, lines)

    def _bulk(self, table: str, fields: Sequence[Field], lines: Iterable[bytes]) -> int:
        """Insert lines of JSON: PUT them, COPY them as they are, and type them inside of Snowflake; gives how
        many lines there were."""
        sent = 0
        for part, size in _parts(lines):
            self._put(part)
            sent += size
        if not sent:
            return 0
        self.execute(
            f'COPY INTO "{_SPOOLED}" FROM @%{_SPOOLED} FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP'
            " NULL_IF = ()) ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
        )
        typed = ", ".join(map(self.dialect.typed, fields))
        self.execute(
            f'INSERT INTO {table} ({self.dialect.column_list(fields)}) SELECT {typed} FROM "{_SPOOLED}"'
        )
        if self.cursor.rowcount != sent:
            raise SelaTargetUnavailableError(
                f"Snowflake took {self.cursor.rowcount} of {sent} rows and nothing was written: run it again"
            )
        self.execute(f'DELETE FROM "{_SPOOLED}"')
        return sent

    def _put(self, part: io.BytesIO) -> None:
        # COPY passes over a file whose name it has loaded before.
        name = f"{next(self._numbers)}.json.gz"
        self.cursor.execute(
            f"PUT file://{name} @%{_SPOOLED} AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = GZIP",
            file_stream=part,
        )


def _parts(lines: Iterable[bytes]) -> Iterator[tuple[io.BytesIO, int]]:
    """Compressed files of whole lines, with the number of lines in each."""
    remaining = iter(lines)
    for first in remaining:
        part, size, number = io.BytesIO(), 0, 0
        with gzip.GzipFile(fileobj=part, mode="wb", compresslevel=1) as file:
            for line in chain([first], remaining):
                file.write(line + b"\n")
                size, number = size + len(line), number + 1
                if size >= _PART_BYTES:
                    break
        part.seek(0)
        yield part, number


def _plain_type(kind: str) -> str:
    """A type as DESCRIBE spells it, in lower case; VARCHAR without a length that lets everything in."""
    kind = kind.lower()
    length = kind.removeprefix("varchar(").rstrip(")")
    return "varchar" if length.isdigit() and int(length) >= _WHOLE_TEXT_CHARACTERS else kind
