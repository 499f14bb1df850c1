"""DuckDB: reads lines of rows itself, with bounded memory."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.storage.line_file import LineFile, take_files
from airflow_provider_sela.warehouse.catalogue import Column, Existing
from airflow_provider_sela.warehouse.digests import digest_blocks
from airflow_provider_sela.warehouse.duckdb_dialect import DuckDBDialect
from airflow_provider_sela.warehouse.filling import FillingEngine
from airflow_provider_sela.warehouse.identifiers import TableName, schema_of
from airflow_provider_sela.warehouse.refused import in_memory, refuse_relative
from airflow_provider_sela.warehouse.tables import DIGESTS, STAGED

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.providers.duckdb.hooks.duckdb import DuckDBHook

# Measured with 1 KB a lead: of 100,000 leads more is no faster; a first load of a million stays below 500 MB.
_MEMORY = "240MB"
# What DuckDB is told of the longest line, at least.
_LONGEST_LINE_BYTES = 2**20
# Lines that DuckDB is given at a time: it takes them as fast as one by one, and memory holds few of them.
_FILE_BYTES = 8 << 20
# Another load has the file for as long as it writes.
_LOCK_WAIT_SECONDS = 60.0
# Another process has the file; another thread of this process is just closing it.
_IN_USE = ("lock on file", "is already attached")
_DOCUMENTS = frozenset(field.name for field in STAGED if field.kind is Kind.JSON)

#: In a schema of DuckDB's catalogue; names are compared without case.
_THERE = (
    "lower(schema_name) = lower(coalesce(?, current_schema()))"
    " AND lower(database_name) = lower(coalesce(?, current_database()))"
)
#: A relation there.
_NAMED = f"lower({{}}_name) = lower(?) AND {_THERE}"


def _is_locked(error: BaseException) -> bool:
    return any(sign in str(error) for sign in _IN_USE)


class DuckDBEngine(FillingEngine):
    """DuckDB, in a file or at MotherDuck.

    Its buffers live in the worker's own process, so they are bounded to 240 MB, beyond which DuckDB uses
    disk, unless the connection's extra says ``memory_limit``. It waits for a file that another process has
    open, one minute at most.
    """

    dialect = DuckDBDialect()
    staging = "temp._sela_staging"
    digests = "temp._sela_digests"
    # An index would double the memory of the staging table, and DuckDB's hash join needs none.
    staging_key = False

    def __init__(self, hook: DbApiHook, table: str) -> None:
        super().__init__(hook, table)
        # As the catalogue said when columns were asked for: a question about views takes as long.
        self._views: set[TableName] = set()

    @retry(
        retry=retry_if_exception(_is_locked),
        stop=stop_after_delay(_LOCK_WAIT_SECONDS),
        wait=wait_random_exponential(multiplier=0.05, max=2),
        reraise=True,
    )
    def open(self) -> Any:
        """Wait while another process has the file."""
        refuse_relative(self.hook.get_connection(self.hook.get_conn_id()))
        return super().open()

    def connect(self) -> Any:
        """Bound the memory. The connection itself is the cursor: ``cursor()`` would be a second connection
        with a transaction of its own."""
        hook = cast("DuckDBHook", self.hook)
        self._qualify()
        self._refusal = self._find_refusal()
        if not hook.memory_limit and "memory_limit" not in hook.settings:
            self.connection.execute(f"SET memory_limit = '{_MEMORY}'")
        return self.connection

    def located(self) -> TableName:
        """The case in which the table was made: names are compared without it."""
        rows = self.select(
            f"SELECT table_name FROM duckdb_tables() WHERE {_NAMED.format('table')}",
            self._named(self.target),
        )
        return (*self.target[:-1], next((name for (name,) in rows), self.target[-1]))

    def _find_refusal(self) -> str:
        """What keeps this connection from writing, or from reading the rows that are to be written.

        :raises SelaSetupError: the database ends with the connection, however that is spelled.
        """
        [(is_kept, read_only, reads_files)] = self.connection.execute(
            "SELECT bool_or(path IS NOT NULL OR type <> 'duckdb')"
            " FILTER (database_name = current_database()), bool_or(readonly)"
            " FILTER (lower(database_name) = lower(coalesce(?, current_database()))),"
            " current_setting('enable_external_access') FROM duckdb_databases()",
            self._named(self.target)[2:],
        ).fetchall()
        if is_kept is False:
            raise in_memory(self.hook.get_conn_id())
        if read_only:
            return "is in a database that is opened read-only: take read_only out of Extra"
        refused = "DuckDB may read no files, which is how leads get there: allow enable_external_access"
        return "" if reads_files else refused

    def _qualify(self) -> None:
        """Say which database a schema is in: in a file ``sales.duckdb``, DuckDB would read ``sales.leads`` as
        a table of the database ``sales``, unless a schema is called so too, when it would not read it."""
        if len(self.target) != 2:
            return
        schema, table = self.target
        databases = self.connection.execute(
            "SELECT current_database(), bool_or(database_name = current_database()) FROM duckdb_schemas()"
            " WHERE lower(schema_name) = lower(?)",
            [schema],
        ).fetchall()
        others = "SELECT database_name FROM duckdb_databases() WHERE lower(database_name) = lower(?)"
        [(current, has_schema)] = databases
        if not has_schema and self.connection.execute(others, [schema]).fetchall():
            self.target = (schema, "main", table)
        else:
            self.target = (current, schema, table)

    def begin(self) -> None:
        """DuckDB commits each statement unless told otherwise."""
        self.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        """Commit on the connection that everything ran on."""
        self.execute("COMMIT")

    def objections(self, table: TableName, *, create: bool, alter: bool) -> list[str]:
        """Views, schemas that are not there, and what keeps DuckDB from writing or from reading rows."""
        if self._refusal:
            return [self._refusal]
        if create:
            (known,) = self.fetch_one(
                f"SELECT count(*) FROM duckdb_schemas() WHERE {_THERE}", self._named(table)[1:]
            )
            return [] if known else [f"there is no schema {table[-2]}: create it"]
        return ["is a view: leads need a table"] if table in self._views else []

    def _named(self, table: TableName) -> list[str | None]:
        return [table[-1], schema_of(table), table[-3] if len(table) > 2 else None]

    def columns(self, table: TableName) -> dict[str, Column] | None:
        """Ask DuckDB's catalogue; names are compared without case."""
        return self.columns_of([table])[table]

    def columns_of(self, tables: Iterable[TableName]) -> Existing:
        """The same in one question, which takes hardly longer than one about one table."""
        asked = list(tables)
        names, there = [table[-1] for table in asked], self._named(asked[0])[1:]
        lowered = ", ".join(["lower(?)"] * len(names))
        rows = self.select(
            "SELECT lower(column_name), lower(data_type), is_nullable, column_default IS NOT NULL,"
            f" table_name IN (SELECT view_name FROM duckdb_views() WHERE {_THERE}),"
            f" list_position([{lowered}], lower(table_name)) FROM duckdb_columns()"
            f" WHERE lower(table_name) IN ({lowered}) AND {_THERE}",
            [*there, *names, *names, *there],
        )
        found: dict[TableName, dict[str, Column]] = {}
        self._views.difference_update(asked)
        for name, *column, is_view, place in rows:
            found.setdefault(asked[place - 1], {})[name] = Column(*column)
            if is_view:
                self._views.add(asked[place - 1])
        return {table: found.get(table) for table in asked}

    def unique_keys(self, table: TableName) -> Iterator[frozenset[str]]:
        """The primary key, then unique constraints and unique indexes: to list constraints, DuckDB looks at
        all tables there are, its own included."""
        spelled = self.dialect.table(table)
        primary = self.select("SELECT lower(name) FROM pragma_table_info(?) WHERE pk", [spelled])
        if columns := frozenset(name for (name,) in primary):
            yield columns
        named = self._named(table)
        yield from self.keys_of(
            "SELECT constraint_name, lower(unnest(constraint_column_names)) FROM duckdb_constraints()"
            f" WHERE constraint_type = 'UNIQUE' AND {_NAMED.format('table')}"
            " UNION ALL SELECT index_name, lower(trim(unnest(string_split(trim(expressions, '[]'), ',')),"
            f" ' \"' || chr(39))) FROM duckdb_indexes() WHERE is_unique AND {_NAMED.format('table')}",
            [*named, *named],
        )

    def any_of(self, ids: Iterable[int]) -> Iterator[tuple[str, list[Any]]]:
        """All of them as one parameter: DuckDB takes longer to plan for many than to look."""
        if every := list(ids):
            yield f"{self.dialect.column('id')} IN (SELECT unnest(CAST(? AS BIGINT[])))", [every]

    def fill_digests(self, rows: Iterator[tuple[int, int, str]]) -> None:
        """Let DuckDB read them as CSV."""
        types = {field.name: self.dialect.types[field.kind] for field in DIGESTS.fields}
        read = f"read_csv(?, header = false, columns = {types}, auto_detect = false)"
        insert = f"INSERT INTO {self.digests} SELECT * FROM {read}"
        take_files(digest_blocks(rows), _FILE_BYTES, lambda file: self.execute(insert, [file.path]))

    def fill(self, lines: Iterable[bytes]) -> None:
        """Let DuckDB read leads that have become rows."""
        take_files(lines, _FILE_BYTES, lambda file: self._load(file, self.staging, ()))

    def fill_target(self, lines: Iterable[bytes], added: Sequence[tuple[Field, Any]]) -> None:
        """The same, into the target."""
        target = self.dialect.table(self.target)
        take_files(lines, _FILE_BYTES, lambda file: self._load(file, target, added))

    def to_set(self, changed: str, values: Sequence[Any]) -> list[tuple[str, str]]:
        """What differs in some row: to set a column, DuckDB takes several times as long as to look at it.

        It looks at JSON, which is most of a row, in a thread of its own.
        """
        halves: list[list[tuple[str, str]]] = [[], []]
        for name, value in super().to_set(changed, values):
            halves[name in _DOCUMENTS].append((name, value))
        looks = (", ".join(f"bool_or({self._differs(*each)})" for each in half) for half in halves)
        look = " UNION ALL ".join(f"SELECT {place}, [{each}] {changed}" for place, each in enumerate(looks))
        found = dict(self.select(look, [*values, *values]))
        return [
            each
            for place, half in enumerate(halves)
            for each, differs in zip(half, found[place], strict=True)
            if differs
        ]

    def _differs(self, name: str, value: str) -> str:
        # A user's column for JSON may be one of text, which need not be JSON.
        as_it_is = "CAST({} AS VARCHAR)" if name in _DOCUMENTS else "{}"
        theirs = f"t.{self.dialect.column(name)}"
        return f"{as_it_is.format(value)} IS DISTINCT FROM {as_it_is.format(theirs)}"

    def takes_all(self) -> bool:
        """DuckDB has neither triggers nor policies."""
        return True

    def _load(self, file: LineFile, table: str, added: Sequence[tuple[Field, Any]]) -> None:
        # Its buffers are as large as the longest line that it is told of.
        longest = max(file.longest + 2, _LONGEST_LINE_BYTES)
        fields = self.dialect.column_list([*STAGED, *(field for field, _ in added)])
        same = [self.dialect.parameter(field.kind) for field, _ in added]
        query = self.dialect.spool_query(longest, same)
        values = [value for _, value in added]
        self.execute(f"INSERT INTO {table} ({fields}) {query}", [*values, file.path])
