"""The databases of the promises: how to reach each from outside of the code under test."""

from __future__ import annotations

import json
import sqlite3
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from airflow_provider_sela.api.leads import EXTRA, Kind
from airflow_provider_sela.warehouse.tables import LOADS, Mode

_KINDS = {field.name: field.kind for field in (*Mode.HISTORY.layout.fields, *LOADS.fields)}


class Database(ABC):
    """One empty database, behind the Airflow connection ``warehouse``."""

    name: str
    placeholder = "%s"
    quote = '"'
    #: Types that a table of somebody else could have: text, 64-bit integer, text that is too short, JSON.
    text, bigint, timestamp, narrow = "text", "bigint", "timestamp with time zone", "integer"
    json_type = "json"
    transactional_ddl = True
    #: Whether loads wait for each other.
    queued = True
    #: Whether the engine can ask for the types of columns.
    typed = True
    #: Whether each load takes so long that one example stands for several.
    slow = False
    #: Before how many of the statements of a load a process is killed: every one, or every second, …
    dies_every = 1

    @property
    @abstractmethod
    def connection(self) -> dict[str, Any]:
        """The Airflow connection."""

    @abstractmethod
    def connect(self) -> Any:
        """A connection of the test's own, to see what is committed."""

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            yield cursor
            connection.commit()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        with self.cursor() as cursor:
            # Without parameters a percent sign is one, to every driver.
            cursor.execute(sql, *([parameters] if parameters else []))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def table(self, name: str = "leads", order: str = "id") -> list[dict[str, Any]]:
        """Rows of a table as plain Python values, whatever the database's own types are."""
        with self.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {name} ORDER BY {order}")
            names = [column[0].lower() for column in cursor.description]
            return [
                {name: plain(name, value) for name, value in zip(names, row, strict=True)}
                for row in cursor.fetchall()
            ]

    def drop(self) -> None:  # noqa: B027 (most share a server that ends with the tests)
        """Give back what the database takes of a server's memory."""

    def bury(self) -> None:  # noqa: B027 (most servers see the end of a client)
        """Have the sessions of killed processes ended, where the server does not do so by itself."""

    def tables(self) -> set[str]:
        return {row[0].lower() for row in self.rows(self.catalogue)}

    catalogue = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"


def plain(name: str, value: Any) -> Any:
    """Undo what the databases do differently: JSON as text, timestamps as text or without a zone."""
    kind = _KINDS.get(name)
    if value is None or kind is None:
        return value
    if kind is Kind.JSON or name == EXTRA.name:
        return json.loads(value) if isinstance(value, str | bytes) else value
    if kind is Kind.BOOLEAN:
        return bool(value)
    if kind is Kind.TIMESTAMP:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return value


class DuckDB(Database):
    name = "duckdb"
    placeholder = "?"
    text, bigint, timestamp, json_type = "VARCHAR", "BIGINT", "TIMESTAMPTZ", "JSON"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"

    @property
    def connection(self) -> dict[str, Any]:
        return {"conn_type": "duckdb", "host": str(self.path)}

    def connect(self) -> Any:
        import duckdb

        # As Airflow's hook has it: within a process, DuckDB shares a file only between equal configurations.
        names = ("autoinstall_known_extensions", "allow_community_extensions", "autoload_known_extensions")
        config: dict[str, Any] = dict(zip(names, (False, False, True), strict=True))
        return duckdb.connect(self.path, config=config)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        with closing(self.connect()) as connection:
            yield connection


class SQLite(Database):
    name = "sqlite"
    placeholder = "?"
    timestamp, narrow, json_type = "TEXT", "REAL", "TEXT"
    catalogue = "SELECT name FROM sqlite_master WHERE type = 'table'"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.sqlite"

    @property
    def connection(self) -> dict[str, Any]:
        return {"conn_type": "sqlite", "host": str(self.path)}

    def connect(self) -> Any:
        return sqlite3.connect(self.path)


class Postgres(Database):
    name = "postgres"
    json_type = "jsonb"

    def __init__(self, port: int, schema: str) -> None:
        self.port, self.schema = port, schema
        import psycopg

        with psycopg.connect(host="127.0.0.1", port=port, user="sela", dbname="postgres") as connection:
            connection.execute(f"CREATE SCHEMA {schema}")

    @property
    def connection(self) -> dict[str, Any]:
        return {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": self.port,
            "login": "sela",
            "schema": "postgres",
            "extra": {"options": f"-c search_path={self.schema}"},
        }

    def connect(self) -> Any:
        import psycopg
        import psycopg.types.json

        options = f"-c search_path={self.schema} -c timezone=America/Los_Angeles"
        connection = psycopg.connect(
            host="127.0.0.1", port=self.port, user="sela", dbname="postgres", options=options
        )
        # JSON as text, as the other databases give it: a parsed string looks like text that is still JSON.
        psycopg.types.json.set_json_loads(
            lambda data: data.decode() if isinstance(data, bytes) else data, connection
        )
        return connection


class OtherPostgres(Postgres):
    """PostgreSQL through ODBC: a connection type that has no engine of its own."""

    name = "generic"
    json_type = "text"
    transactional_ddl = False
    queued = False
    typed = False

    @property
    def connection(self) -> dict[str, Any]:
        extra = {
            "driver": "PostgreSQL Unicode",
            "sqlalchemy_scheme": "postgresql",
            "ConnSettings": f"SET search_path = {self.schema}",
            "MaxLongVarcharSize": "0",
        }
        return {
            **super().connection,
            "conn_type": "odbc",
            "schema": "",
            "extra": {**extra, "Database": "postgres"},
        }


class MariaDB(Database):
    name = "mariadb"
    quote = "`"
    text, timestamp, narrow, json_type = "LONGTEXT", "DATETIME(6)", "INT", "JSON"
    catalogue = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    transactional_ddl = False

    def __init__(self, port: int, schema: str, client: str = "mysqlclient") -> None:
        self.port, self.schema, self.client = port, schema, client
        import MySQLdb

        with closing(MySQLdb.connect(host="127.0.0.1", port=port, user="root")) as connection:
            connection.cursor().execute(f"CREATE DATABASE {schema}")

    @property
    def connection(self) -> dict[str, Any]:
        return {
            "conn_type": "mysql",
            "host": "127.0.0.1",
            "port": self.port,
            "login": "root",
            "schema": self.schema,
            "extra": {"client": self.client},
        }

    def connect(self) -> Any:
        import MySQLdb

        return MySQLdb.connect(
            host="127.0.0.1", port=self.port, user="root", db=self.schema, charset="utf8mb4"
        )


class Snowflake(Database):
    """An emulation of Snowflake that the real connector speaks to."""

    name = "snowflake"
    text, bigint, timestamp, narrow, json_type = (
        "VARCHAR", "BIGINT", "TIMESTAMP_TZ", "NUMBER(9, 0)", "VARIANT",
    )  # fmt: skip
    transactional_ddl = False
    slow = True
    dies_every = 2

    def __init__(self, port: int, authority: Path, schema: str) -> None:
        self.port, self.authority, self.schema = port, authority, schema

    @property
    def connection(self) -> dict[str, Any]:
        extra = {"account": "sela", "database": "SELA", "warehouse": "LOADING"}
        return {
            "conn_type": "snowflake",
            "login": "sela",
            "password": "sela",
            "schema": self.schema,
            "extra": {**extra, "host": "127.0.0.1", "port": self.port},
        }

    def connect(self) -> Any:
        import snowflake.connector

        return snowflake.connector.connect(
            user="sela",
            password="sela",
            schema=self.schema,
            account="sela",
            database="SELA",
            host="127.0.0.1",
            port=self.port,
        )

    def drop(self) -> None:
        """Give back what the database takes of a server's memory."""

    def bury(self) -> None:
        context = ssl.create_default_context(cafile=str(self.authority))
        with closing(HTTPSConnection("127.0.0.1", self.port, context=context)) as server:
            server.request("POST", "/bury")
            assert server.getresponse().status == 200
