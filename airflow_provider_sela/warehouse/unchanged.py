"""Which leads the target has in the very same bytes, so that no row is made of them."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.leads import Kind
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.digests import HASH_LENGTH, LENGTH, Remarks, digester, remarks
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    DIGEST,
    DIGESTS,
    HASH,
    VALID_TO,
    Load,
    Mode,
)

if TYPE_CHECKING:
    from airflow_provider_sela.warehouse.staged import StagedEngine


class Unchanged:
    """Digests of all leads that were read, in a temporary table beside the staging table.

    In each statement ``t`` is the target and ``d`` the table of digests. A lead is unchanged if it has rows
    in scope, and each of them holds its digest, is not marked as deleted, and is not stamped later than now:
    then no step of a load would touch one. All of it is looked up twice: before the load's lock, for which
    leads no row is to be made, and behind it, whether that still holds.

    :ivar used: whether there are digests to compare with.
    """

    def __init__(self, engine: StagedEngine, mode: Mode, load: Load) -> None:
        self._engine = engine
        self._mode = mode
        self._load = load
        self.used = False

    def find(self, spool: Spool) -> bytearray | None:
        """Look which leads have to become rows: for each lead whether it has to; None for all."""
        engine = self._engine
        if not self.used:
            if not self._are_kept():
                return None
            engine.create_temporary(engine.digests, DIGESTS)
            digest = digester(engine.dialect)
            leads = enumerate(spool.leads())
            engine.fill_digests((place, key, digest(lead)) for place, (key, lead) in leads)
            self.used = True
        wanted = bytearray(len(spool))
        place = engine.dialect.column("place")
        joined, values = self._joined()
        for (found,) in engine.select(f"SELECT d.{place} FROM {joined} = 1", values):
            wanted[found] = 1
        return wanted

    def remarks(self) -> Remarks:
        """What is told of the unchanged leads, once rows were made of all others."""
        if not self.used:
            return remarks(())
        dialect = self._engine.dialect
        digest = f"t.{dialect.column(DIGEST)}"
        names = f"SUBSTR({digest}, {LENGTH + HASH_LENGTH + 1})"
        joined, values = self._joined()
        told = self._engine.select(
            f"SELECT {names}, COUNT(DISTINCT d.{dialect.column('id')}) FROM {joined} = 0"
            f" AND LENGTH({digest}) > {LENGTH + HASH_LENGTH} AND {self._not_staged()} GROUP BY {names}",
            values,
        )
        return remarks(told)

    def overlooked(self) -> int:
        """How many leads of which no row was made are not unchanged any more."""
        if not self.used:
            return 0
        joined, values = self._joined()
        sql = f"SELECT COUNT(*) FROM {joined} = 1 AND {self._not_staged()}"
        rows: int = self._engine.fetch_one(sql, values)[0]
        return rows

    def _are_kept(self) -> bool:
        """Whether the target has a digest in scope."""
        engine, dialect = self._engine, self._engine.dialect
        columns = engine.columns(engine.target) or ()
        if any(field.name not in columns for field in self._mode.layout.fields):
            return False
        scope, values = engine.scope(self._mode, self._load)
        kept = f"SELECT 1 FROM {dialect.table(engine.target)} t WHERE {scope}"
        kept = f"{kept} AND t.{dialect.column(DIGEST)} IS NOT NULL LIMIT 1"
        return bool(list(engine.select(kept, values)))

    def _joined(self) -> tuple[str, list[Any]]:
        """All leads beside their rows, and what is 0 for a row that is as it was read."""
        engine, mode, dialect = self._engine, self._mode, self._engine.dialect
        key, digest = dialect.column("id"), dialect.column(DIGEST)
        scope, values = engine.scope(mode, self._load)
        same = [
            f"SUBSTR(t.{digest}, 1, {LENGTH}) = d.{digest}",
            f"SUBSTR(t.{digest}, {LENGTH + 1}, {HASH_LENGTH}) ="
            f" SUBSTR(t.{dialect.column(HASH)}, 1, {HASH_LENGTH})",
            f"t.{dialect.column(DELETED_AT)} IS NULL",
        ]
        if mode is Mode.HISTORY:
            same.append(f"t.{dialect.column(VALID_TO)} IS NULL")
        if not mode.removes:
            since = f"t.{dialect.column(mode.since)}"
            same.append(f"({since} IS NULL OR {since} <= {dialect.parameter(Kind.TIMESTAMP)})")
            values = [*values, dialect.timestamp(self._load.latest)]
        target = dialect.table(engine.target)
        # Where there is no row, no comparison holds.
        differs = f"CASE WHEN {' AND '.join(same)} THEN 0 ELSE 1 END"
        join = f"LEFT JOIN {target} t ON t.{key} = d.{key} AND {scope}"
        return f"{engine.digests} d {join} WHERE {differs}", values

    def _not_staged(self) -> str:
        key = self._engine.dialect.column("id")
        return f"NOT EXISTS (SELECT 1 FROM {self._engine.staging} s WHERE s.{key} = d.{key})"
