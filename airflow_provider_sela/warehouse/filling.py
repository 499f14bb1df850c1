"""Rows are made behind the load's lock: an empty target is filled itself, and any other is looked at once.

Rows that are staged first are written twice, and what was found before the lock has to be found again.
"""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from airflow_provider_sela.api.leads import Field
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.staged import StagedEngine
from airflow_provider_sela.warehouse.tables import Counts, Load, Mode


class FillingEngine(StagedEngine):
    """A database whose bulk path leads into any table, and which takes DDL back.

    Where the target is empty, or holds digests, leads become rows behind the load's lock, and what they tell
    is judged before the commit. A new database gives :meth:`fill_target` and :meth:`takes_all`.
    """

    _fills = False

    @abstractmethod
    def fill_target(self, lines: Iterable[bytes], added: Sequence[tuple[Field, Any]]) -> None:
        """Load lines into the target by the bulk path of the database.

        :param added: what is the same in all rows: columns and their values.
        """

    @abstractmethod
    def takes_all(self) -> bool:
        """Whether nothing stands between the bulk path and the target, which is there."""

    def stage(self, spool: Spool, mode: Mode, load: Load) -> None:
        """Leave the leads where they are if the target is empty or missing, or holds digests."""
        self._fills = load.whole and self._is_empty(mode, load, self.columns(self.target))
        if self._fills:
            self._spool = spool
        else:
            self._stage(spool, mode, load)

    def _stage(self, spool: Spool, mode: Mode, load: Load) -> None:
        self.prepare(spool, mode, load)
        if not self.unchanged.used:
            self.fill_staging()

    def look_again(self) -> None:
        """Look for the first time."""
        if self.unchanged.used:
            self.fill_staging()

    def write(self, mode: Mode, load: Load, columns: Collection[str]) -> Counts:
        """Fill the target, or compare it with the staging table."""
        if not self._fills:
            return super().write(mode, load, columns)
        if not self._is_empty(mode, load, columns):
            # Another load was faster, or the table is not the one that was to be made.
            self._stage(self._spool, mode, load)
            return super().write(mode, load, columns)
        leads = len(self._spool)
        self.fill_target(self._spool.lines(), self.added(mode, load))
        self.refuse_loss(leads - self.count(mode, load), leads)
        return Counts(leads, 0, 0)

    def _is_empty(self, mode: Mode, load: Load, columns: Collection[str] | None) -> bool:
        """Whether every lead is missing in the target, and it takes them all.

        :param columns: of the target; None where it is missing.
        """
        if columns is None:
            return True
        if any(field.name not in columns for field in mode.layout.fields) or not self.takes_all():
            return False
        scope, values = self.scope(mode, load)
        return not list(
            self.select(f"SELECT 1 FROM {self.dialect.table(self.target)} t WHERE {scope} LIMIT 1", values)
        )
