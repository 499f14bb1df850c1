"""Names and types of any other database, as SQLAlchemy knows them."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.warehouse.dialect import Dialect
from airflow_provider_sela.warehouse.identifiers import TableName
from airflow_provider_sela.warehouse.tables import SHORT, SYNCED_AT

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook


#: Databases that speak as another one does.
_RELATIVES = {"greenplum": "postgresql"}
#: Types of the SQL standard: SQLAlchemy's dialect for unknown databases lacks them.
_STANDARD = {
    Kind.INTEGER: "BIGINT",
    Kind.TEXT: "CLOB",
    Kind.TIMESTAMP: "TIMESTAMP(6) WITH TIME ZONE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.JSON: "CLOB",
}


class SQLAlchemyDialect(Dialect):
    """SQLAlchemy's dialect for a hook chooses types and quotes names; parameters have Python's types.

    :param hook: hook of the user's connection. It names the dialect when the first type or name is needed.
    :ivar placeholder: set by the engine, because the driver chooses it.
    """

    def __init__(self, hook: DbApiHook) -> None:
        self._hook = hook

    @property
    def sqlalchemy_name(self) -> str:
        """What SQLAlchemy calls the database."""
        return str(self._hook.dialect_name)

    @cached_property
    def sqlalchemy(self) -> Any:
        """SQLAlchemy's dialect of the hook, the SQL standard where it has none."""
        from sqlalchemy.dialects import registry
        from sqlalchemy.engine.default import DefaultDialect
        from sqlalchemy.exc import NoSuchModuleError

        name = self.sqlalchemy_name
        try:
            return registry.load(_RELATIVES.get(name, name))()
        except NoSuchModuleError:
            return DefaultDialect()

    @property
    def standard(self) -> bool:
        """Whether SQLAlchemy does not know the database, so that it is spoken to as the standard says."""
        return bool(self.sqlalchemy.name == "default")

    def fold(self, name: str) -> str:
        """Upper case, as the standard says; else what SQLAlchemy's quoting leaves to the database."""
        return name.upper() if self.standard else name

    def quote(self, name: str) -> str:
        """Quote what needs it: many of these databases make quoted names case-sensitive."""
        if self.standard:
            return super().quote(name)
        return str(self.sqlalchemy.identifier_preparer.quote(name))

    def column_type(self, field: Field) -> str:
        """Let SQLAlchemy name the type."""
        from sqlalchemy import types
        from sqlalchemy.dialects import mysql

        if self.standard:
            return "VARCHAR(250)" if field.name in SHORT else _STANDARD[field.kind]
        # SQL Server's VARCHAR and TEXT lose what is not in their code page, MySQL's TEXT ends at 64 KB, and
        # Oracle's DATE and MySQL's DATETIME have whole seconds.
        text = types.UnicodeText().with_variant(types.Unicode(), "mssql")
        text = text.with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
        time = types.DateTime(True).with_variant(types.TIMESTAMP(True), "oracle")
        time = time.with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
        kinds: dict[Kind, types.TypeEngine[Any]] = {
            Kind.INTEGER: types.BigInteger(),
            Kind.TEXT: types.Unicode(250) if field.name in SHORT else text,
            Kind.TIMESTAMP: time,
            Kind.BOOLEAN: types.Boolean(),
            Kind.JSON: text,
        }
        return str(kinds[field.kind].compile(dialect=self.sqlalchemy))

    def parameter(self, kind: Kind) -> str:
        """Parameters have Python's types, so that no cast is needed."""
        return self.placeholder

    def timestamp(self, value: datetime) -> datetime:
        """A ``datetime`` in UTC, naive where the database's type has no zone."""
        # Drivers look for Python's own type, not for one made of it.
        plain = datetime.fromisoformat(super().timestamp(value))
        return plain if self.zoned else plain.replace(tzinfo=None)

    def add_column(self, table: TableName, field: Field) -> str:
        """The same statement without COLUMN, which not every database allows."""
        return f"ALTER TABLE {self.table(table)} ADD {self._definition(field)}"

    @cached_property
    def zoned(self) -> bool:
        """Whether the database's type of a timestamp has a time zone."""
        kind = self.column_type(Field(SYNCED_AT, Kind.TIMESTAMP)).upper()
        return "ZONE" in kind or "OFFSET" in kind or kind.endswith("TZ")
