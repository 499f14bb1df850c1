"""Which leads the target has in the very same bytes, so that no row is made of them."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from airflow_provider_sela.api.leads import Kind
from airflow_provider_sela.storage.local_disk import lines_in
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.digests import (
    HASH_LENGTH,
    LENGTH,
    RULES,
    Remarks,
    lead_digester,
    remarks,
)
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    DIGEST,
    HASH,
    VALID_TO,
    Load,
    Mode,
)


class Tables(NamedTuple):
    """What lies between the leads and the target.

    :param staging: the staging table as it stands in a statement.
    :param digests: the table of digests, likewise.
    :param fill: makes and fills the latter with rows of :data:`~.tables.DIGESTS`.
    :param scope: the condition that a row of the target is in scope, and the values of its parameters.
    """

    staging: str
    digests: str
    fill: Callable[[Iterator[tuple[int, int, str]]], None]
    scope: tuple[str, list[Any]]


class Unchanged:
    """Digests of all leads that were read, in a temporary table beside the staging table.

    In each statement ``t`` is the target and ``d`` the table of digests. A lead is unchanged if it has rows
    in scope, and each of them holds its digest, is not marked as deleted, and is not stamped later than now:
    then no step of a load would touch one. Who looks before the load's lock looks again behind it, whether
    that still holds.

    :ivar used: whether there are digests to compare with.
    """

    def __init__(self, engine: Engine, mode: Mode, load: Load, tables: Tables) -> None:
        self._engine = engine
        self._mode = mode
        self._load = load
        self._tables = tables
        self.used = False

    def prepare(self, spool: Spool) -> None:
        """Make digests of all leads, if the target has some to compare them with."""
        if self._load.whole and self._are_kept():
            digests = map(lead_digester(self._engine.dialect), lines_in(spool.path()))
            self._tables.fill(zip(range(len(spool)), spool.ids, digests, strict=True))
            self.used = True

    def find(self, spool: Spool) -> tuple[bytearray | None, Remarks]:
        """Look which leads have to become rows, and what is told of the others.

        :return: for each lead whether it has to, None for all; the rest.
        """
        if not self.used:
            return None, remarks(())
        dialect = self._engine.dialect
        place, digest = dialect.column("place"), dialect.column(DIGEST)
        (join, scoped), (same, silent, values) = self._joined(), self._same()
        rows = (
            f"SELECT d.{place} AS lead_place, CASE WHEN {same} THEN 1 ELSE 0 END AS is_same,"
            f" SUBSTR(t.{digest}, {LENGTH + HASH_LENGTH + 1}) AS names"
            f" FROM {join} WHERE CASE WHEN {silent} THEN 0 ELSE 1 END = 1"
        )
        leads = (
            "SELECT CASE WHEN MIN(is_same) = 0 THEN lead_place ELSE -1 END AS wanted,"
            " CASE WHEN MIN(is_same) = 0 THEN '' ELSE MAX(names) END AS told"
            f" FROM ({rows}) r GROUP BY lead_place"
        )
        found = self._engine.select(
            f"SELECT wanted, told, COUNT(*) FROM ({leads}) l GROUP BY wanted, told",
            [*values, *scoped, *values],
        )
        wanted, told = bytearray(len(spool)), []
        for lead_place, names, number in found:
            if lead_place < 0:
                told.append((names, number))
            else:
                wanted[lead_place] = 1
        return wanted, remarks(told)

    def overlooked(self) -> int:
        """How many leads of which no row was made are not unchanged any more."""
        if not self.used:
            return 0
        (join, scoped), (same, _, values) = self._joined(), self._same()
        differs = f"CASE WHEN {same} THEN 0 ELSE 1 END = 1"
        sql = f"SELECT COUNT(*) FROM {join} WHERE {differs} AND {self._not_staged()}"
        rows: int = self._engine.fetch_one(sql, [*scoped, *values])[0]
        return rows

    def remember(self) -> None:
        """Give rows their digests that hold none, or one by other rules, such as those of an earlier version.

        The same content in other bytes touches no row: a trigger or a log of changes would take it for one.
        """
        engine, dialect = self._engine, self._engine.dialect
        key, digest, content = (dialect.column(name) for name in ("id", DIGEST, HASH))
        scope, values = self._tables.scope
        target, join = dialect.table(engine.target), f"t.{key} = s.{key}"
        where = (
            f"{scope} AND t.{content} = s.{content} AND s.{digest} IS NOT NULL"
            f" AND (t.{digest} IS NULL OR SUBSTR(t.{digest}, 1, {len(RULES)}) <> '{RULES}')"
        )
        counted = f"SELECT COUNT(*) FROM {self._tables.staging} s JOIN {target} t ON {join} WHERE {where}"
        if engine.fetch_one(counted, values)[0]:
            sets = [(DIGEST, f"s.{digest}")]
            engine.execute(dialect.update(target, self._tables.staging, sets, join, where), values)

    def _are_kept(self) -> bool:
        """Whether the target has a digest in scope."""
        engine, dialect = self._engine, self._engine.dialect
        columns = engine.columns(engine.target) or ()
        if any(field.name not in columns for field in self._mode.layout.fields):
            return False
        scope, values = self._tables.scope
        kept = f"SELECT 1 FROM {dialect.table(engine.target)} t WHERE {scope}"
        kept = f"{kept} AND t.{dialect.column(DIGEST)} IS NOT NULL LIMIT 1"
        return bool(list(engine.select(kept, values)))

    def _joined(self) -> tuple[str, list[Any]]:
        """All leads beside their rows in scope; the row may be missing."""
        engine, key = self._engine, self._engine.dialect.column("id")
        scope, values = self._tables.scope
        target = engine.dialect.table(engine.target)
        return f"{self._tables.digests} d LEFT JOIN {target} t ON t.{key} = d.{key} AND {scope}", values

    def _same(self) -> tuple[str, str, list[Any]]:
        """The condition that a row is as it was read; the same of a row of which nothing is told; the values
        of the parameters of either."""
        mode, dialect = self._mode, self._engine.dialect
        theirs, ours = (f"{table}.{dialect.column(DIGEST)}" for table in "td")
        content = f"SUBSTR(t.{dialect.column(HASH)}, 1, {HASH_LENGTH})"
        silent = f"{theirs} = {dialect.joined.format(ours, content)}"
        # To cut a text takes most databases longer than to compare two: the second half is for few rows.
        same = (
            f"({silent} OR SUBSTR({theirs}, 1, {LENGTH}) = {ours}"
            f" AND SUBSTR({theirs}, {LENGTH + 1}, {HASH_LENGTH}) = {content})"
        )
        current, values = [f"t.{dialect.column(DELETED_AT)} IS NULL"], list[Any]()
        if mode is Mode.HISTORY:
            current.append(f"t.{dialect.column(VALID_TO)} IS NULL")
        if not mode.removes:
            since = f"t.{dialect.column(mode.since)}"
            current.append(f"({since} IS NULL OR {since} <= {dialect.parameter(Kind.TIMESTAMP)})")
            values = [dialect.timestamp(self._load.latest)]
        return " AND ".join([same, *current]), " AND ".join([silent, *current]), values

    def _not_staged(self) -> str:
        key = self._engine.dialect.column("id")
        return f"NOT EXISTS (SELECT 1 FROM {self._tables.staging} s WHERE s.{key} = d.{key})"
