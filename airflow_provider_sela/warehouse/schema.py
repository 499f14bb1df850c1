"""Makes a table fit, or says before anything is written why it does not."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

from collections.abc import Collection, Iterator

from airflow_provider_sela.api.leads import Field
from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.books import Books
from airflow_provider_sela.warehouse.catalogue import Column, Existing
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.identifiers import TableName, beside
from airflow_provider_sela.warehouse.rehearsal import rehearse
from airflow_provider_sela.warehouse.tables import (
    DELETED_AT,
    LOADS,
    LOADS_TABLE,
    OPTIONAL,
    REJECTS,
    REJECTS_TABLE,
    Layout,
    Mode,
    Source,
)


class Schema:
    """The target and the tables beside it.

    :param create: whether a missing table may be created.
    :param add: whether a missing column may be added.
    :ivar makes_shared: whether something is missing of the tables beside it, once that was checked.
    """

    def __init__(self, engine: Engine, mode: Mode, *, create: bool, add: bool) -> None:
        self._engine = engine
        self._mode = mode
        self._create = create
        self._add = add
        self.loads = beside(engine.target, engine.dialect.fold(LOADS_TABLE))
        self.rejects = beside(engine.target, engine.dialect.fold(REJECTS_TABLE))
        self._applied: Existing = {}

    def check(self, source: Source | None = None) -> Existing:
        """Change nothing.

        :param source: whose leads are to land.
        :return: the tables that there are.
        :raises SelaTargetError: a table is missing or does not fit; the message names it, the column and the
            remedy.
        """
        existing = self._run(apply=False)
        self.makes_shared = any(
            field.name not in (existing[name] or ())
            for name, layout in self._tables()
            for field in layout.fields
            if name != self._engine.target
        )
        for name, layout in self._tables():
            if columns := existing[name]:
                verbs = self._mode.verbs if name == self._engine.target else "INSERT"
                rehearse(self._engine, name, layout, columns, verbs)
        if (columns := existing[self.loads]) and existing[self._engine.target]:
            books = Books(self._engine, self.loads, columns)
            books.refuse_mode(self._mode)
            books.refuse_server(self._mode, source)
        if "id" in (existing[self._engine.target] or ()):
            self._refuse_keys()
        return existing

    def confirm(self, source: Source | None, spool: Spool) -> Source | None:
        """Look into the books once nobody else writes them; raises as :meth:`check`.

        :param spool: leads that are about to land.
        :return: the source, None where it could not be told whether it is that of the table.
        """
        columns = self._applied[self.loads] if self._applied else self._engine.columns(self.loads)
        if columns is None:
            return source
        books = Books(self._engine, self.loads, columns)
        books.refuse_mode(self._mode)
        return source if books.refuse_account(self._mode, source, spool) else None

    def apply(self) -> Collection[str]:
        """Create tables and columns that are missing; raises as :meth:`check`.

        What was made is looked at as if somebody else had made it: a server may have made something else.

        :return: the columns that the target has.
        """
        found = self._run(apply=True)
        if any(
            field.name not in (found[name] or ()) for name, layout in self._tables() for field in layout[0]
        ):
            found = Schema(self._engine, self._mode, create=False, add=False)._run(apply=False)
        self._applied = found
        return found[self._engine.target] or ()

    def _tables(self) -> Iterator[tuple[TableName, Layout]]:
        engine = self._engine
        yield from [(engine.target, self._mode.layout), (self.loads, LOADS), (self.rejects, REJECTS)]
        for auxiliary, layout in engine.auxiliary_tables.items():
            yield beside(engine.target, engine.dialect.fold(auxiliary)), layout

    def _run(self, *, apply: bool) -> Existing:
        engine = self._engine
        found = engine.columns_of(name for name, _ in self._tables())
        for name, layout in self._tables():
            existing = found[name]
            if existing is None:
                self._check_creation(name)
                if apply:
                    engine.create_table(name, layout)
                continue
            for field in self._missing(name, layout, existing):
                if apply:
                    engine.add_column(name, field)
        return found

    def _check_creation(self, name: TableName) -> None:
        if not self._create:
            raise SelaTargetError(
                f"there is no table {self._engine.spelled(name)}: create it, or set create_table"
            )
        if objections := self._engine.objections(name, create=True, alter=False):
            spelled = self._engine.spelled(name)
            raise SelaTargetError(f"table {spelled} cannot be created: {'; '.join(objections)}")

    def _missing(self, name: TableName, layout: Layout, existing: dict[str, Column]) -> list[Field]:
        lacking = [field for field in layout.fields if field.name not in existing]
        missing = [field for field in lacking if field.name not in OPTIONAL]
        complaints = [
            *self._engine.objections(name, create=False, alter=bool(missing)),
            *self._conflicts(layout, existing),
            *_unfillable(layout, existing),
        ]
        if missing and not self._add:
            names = ", ".join(field.name for field in missing)
            complaints.append(f"has no column {names}: add what is missing, or set add_columns")
        if complaints:
            raise SelaTargetError(f"table {self._engine.spelled(name)}: {'; '.join(complaints)}")
        if lacking and self._add and not self._engine.objections(name, create=False, alter=True):
            return lacking
        return missing

    def _refuse_keys(self) -> None:
        """Keys of a user that allow fewer rows than the mode has, and, where no key has kept them from
        it, leads that are there twice: both rows would count as one lead's."""
        key, unique = frozenset(self._mode.layout.key), self._engine.unique_keys(self._engine.target)
        if len(key) == 1:
            if key not in unique:
                self._refuse_repeats()
        elif narrow := next((columns for columns in unique if columns < key), None):
            raise SelaTargetError(
                f"table {self._engine.written}: {', '.join(narrow)} is unique, and mode {self._mode} has"
                " several rows for a lead: drop that key, or give this mode a table of its own"
            )

    def _refuse_repeats(self) -> None:
        engine, column = self._engine, self._engine.dialect.column("id")
        (repeats,) = engine.fetch_one(
            f"SELECT COUNT({column}) - COUNT(DISTINCT {column}) FROM {engine.dialect.table(engine.target)}"
        )
        if repeats:
            raise SelaTargetError(
                f"table {engine.written}: {repeats} of its rows repeat the id of another, and mode"
                f" {self._mode} has one row for a lead: delete them, and make id the primary key"
            )

    def _conflicts(self, layout: Layout, existing: dict[str, Column]) -> list[str]:
        return [
            f"column {field.name} is {column.type}, which cannot hold every value:"
            f" make it {self._engine.dialect.column_type(field).lower()}"
            for field in layout.fields
            if (column := existing.get(field.name)) and not self._engine.dialect.accepts(field, column)
        ]


def _unfillable(layout: Layout, existing: dict[str, Column]) -> list[str]:
    ours = {field.name for field in layout.fields}
    stuck = [
        name
        for name, column in existing.items()
        if not column.nullable and (not column.filled if name not in ours else name not in _always(layout))
    ]
    return [f"column {name} is NOT NULL, and leads can be without: let it be NULL" for name in stuck]


def _always(layout: Layout) -> set[str]:
    optional = {DELETED_AT, "_sela_valid_to", *OPTIONAL}
    return {
        field.name
        for field in layout.fields
        if field.name in ("id", *layout.key)
        or (field.name.startswith("_sela_") and field.name not in optional)
    }
