"""What the loads before have left in the books of a table: how it was loaded, and whose leads it holds."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.tables import SEVERAL, Mode, Source

_SELECTED = ("mode", "origin", "account", "accounts")


class Books:
    """The earlier loads of a target.

    An account is known by its server and its token. A token is renewed now and then, so that another one
    proves nothing: the ids of leads, which are the server's own, tell then.

    :param engine: connected engine of the target, which is there.
    :param loads: its table of loads, which is there.
    :param columns: those that this table has.
    """

    def __init__(self, engine: Engine, loads: TableName, columns: Collection[str]) -> None:
        dialect, names = engine.dialect, [name for name in _SELECTED if name in columns]
        rows = engine.select(
            f"SELECT DISTINCT {', '.join(map(dialect.column, names))} FROM {dialect.table(loads)}"
            f" WHERE {dialect.column('target')} = {dialect.placeholder}",
            [engine.key],
        )
        self._engine = engine
        self._loads: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]

    def refuse_mode(self, mode: Mode) -> None:
        """A table of one mode is not fit for another, and its columns do not show it."""
        for load in self._loads:
            if Mode(load["mode"]).layout != mode.layout:
                raise SelaTargetError(
                    f"table {self._engine.written} was loaded in mode {load['mode']}, whose rows mean"
                    f" something else: give mode {mode} a table of its own"
                )

    def refuse_server(self, mode: Mode, source: Source | None) -> bool:
        """Whether the account is known to be that of the table, as far as can be told without a lead.

        :raises SelaTargetError: it is another one.
        """
        known = [load for load in self._loads if load.get("account")]
        if source is None or source.several_accounts or not known:
            return True
        if any(load.get("accounts") == SEVERAL for load in known):
            raise SelaTargetError(
                f"table {self._engine.written} is one for several accounts, as loads before this one said:"
                " set several_accounts=True here too"
            )
        origins = sorted({load["origin"] for load in known})
        if source.origin not in origins and self._is_filled(mode):
            raise self._foreign(f"of {', '.join(origins)}, and these are of {source.origin}")
        return any((load["origin"], load["account"]) == source[:2] for load in known)

    def refuse_account(self, mode: Mode, source: Source | None, spool: Spool) -> bool:
        """Compare the leads of a read with those of the table, where the token alone does not tell.

        :return: whether the account is that of the table; without a lead it may be any.
        :raises SelaTargetError: it is another one.
        """
        if self.refuse_server(mode, source):
            return True
        if not len(spool):
            return False
        if not any(lead_id in spool for lead_id in self._engine.live_ids(mode)) and self._is_filled(mode):
            raise self._foreign(
                "that were read with another token, none of which was read now. If only the token is new,"
                " load once without filters"
            )
        return True

    def _is_filled(self, mode: Mode) -> bool:
        dialect, target = self._engine.dialect, self._engine.dialect.table(self._engine.target)
        found = self._engine.fetch_one(f"SELECT COUNT(*) FROM {target} WHERE {dialect.not_deleted(mode)}")
        return bool(found[0])

    def _foreign(self, whose: str) -> SelaTargetError:
        return SelaTargetError(
            f"table {self._engine.written} holds leads {whose}. Nothing was written: give each account a"
            " table of its own, or set several_accounts=True if this one is meant for several"
        )
