"""What MySQL and MariaDB know of a table, of the user's rights and of what a server lets anybody do."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_sela.warehouse.identifiers import TableName

if TYPE_CHECKING:
    from airflow_provider_sela.warehouse.engine import Engine

#: A table in the information schema.
NAMED = "table_name = %s AND table_schema = COALESCE(%s, DATABASE())"
_GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<database>\*|`[^`]+`)\.(?P<table>\*|`[^`]+`) TO ")
_ALL = "ALL PRIVILEGES"
# Of a role, which MySQL lists by its name alone.
_UNKNOWN = "what a role may"
_READ_ONLY_NUMBER = 1290
# Row formats whose rows have little room beside each text.
_NARROW = ("Compact", "Redundant")


class Catalogue:
    """What there is to be said against one table.

    :param engine: connected engine.
    :param named: the parameters of :data:`NAMED`.
    """

    def __init__(self, engine: Engine, table: TableName, named: Sequence[str | None]) -> None:
        self._engine = engine
        self._table = table
        self._named = named

    def objections(self, *, create: bool, alter: bool) -> list[str]:
        """Views, engines without transactions, databases that are not there, and rights that are lacking."""
        if create:
            if missing := self._missing_database():
                return [missing]
            self._try_writing()
        kinds = self._engine.select(
            "SELECT table_type, t.engine, COALESCE(e.transactions, 'NO'), COALESCE(row_format, '')"
            " FROM information_schema.tables t"
            f" LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE {NAMED}",
            self._named,
        )
        found = [words for kind in list(kinds) if (words := self._objection(*kind, alter=alter))]
        needed = {"CREATE TEMPORARY TABLES": True, "CREATE": create, "ALTER": alter}
        granted = self._granted()
        if not granted & {_ALL, _UNKNOWN}:
            lacking = [right for right, wanted in needed.items() if wanted and right not in granted]
            found += [f"the user lacks the right {right}: GRANT it" for right in lacking]
        return found

    def _objection(self, kind: str, engine: str | None, transactions: str, rows: str, *, alter: bool) -> str:
        if engine is None:
            return f"is a {kind.lower()}: leads need a table"
        if transactions != "YES":
            return f"is of the engine {engine}, which takes nothing back: ALTER TABLE … ENGINE=InnoDB"
        if alter and rows in _NARROW:
            return f"lacks columns, and its row format {rows} has no room: ALTER TABLE … ROW_FORMAT=DYNAMIC"
        if alter and kind == "SYSTEM VERSIONED":
            (history,) = self._engine.fetch_one("SELECT @@system_versioning_alter_history")
            if history != "KEEP":
                return (
                    "lacks columns, and the server keeps the history of a table as it is: add them, or SET"
                    " GLOBAL system_versioning_alter_history = KEEP"
                )
        return ""

    def _try_writing(self) -> None:
        """Write to the table that is not there: a server that is read-only for this user says so first.

        Who may write all the same is not told by the grants alone.
        """
        if not self._engine.fetch_one("SELECT @@GLOBAL.read_only")[0]:
            return
        try:
            self._engine.execute(f"DELETE FROM {self._engine.dialect.table(self._table)} WHERE 1 = 0")
        except Exception as error:
            if _READ_ONLY_NUMBER in (error.args[0], getattr(error, "errno", None)):
                raise

    def _missing_database(self) -> str | None:
        (name,) = self._engine.fetch_one("SELECT COALESCE(%s, DATABASE())", self._named[1:])
        if name is None:
            return "the connection names no database: write database.table, or put it into Schema"
        counted = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = %s"
        (known,) = self._engine.fetch_one(counted, [name])
        return None if known else f"there is no database {name} that the user may see: create it, or GRANT"

    def _granted(self) -> set[str]:
        """Rights of the user on a table that may not be there."""
        granted: set[str] = set()
        for (grant,) in list(self._engine.select("SHOW GRANTS")):
            match = _GRANT.match(grant)
            if not match:
                granted.add(_UNKNOWN)
                continue
            # In a grant, the name of a database is a pattern of LIKE.
            pattern = "%" if match["database"] == "*" else match["database"].strip("`")
            asked = "SELECT COALESCE(%s, DATABASE()) LIKE %s"
            here = self._engine.fetch_one(asked, [self._named[1], pattern])[0]
            if here and match["table"].strip("`") in ("*", self._table[-1]):
                granted.update(match["rights"].split(", "))
        return granted
