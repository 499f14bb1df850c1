"""The databases of the promises that are Java's, each in the memory of a server of its own."""

from __future__ import annotations

import ctypes
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import pytest

from tests.support.databases import Database, plain

#: All of them at once: a process has one JVM, which looks for classes where it was told first.
JARS = ("/usr/share/java/h2.jar", "/usr/share/java/hsqldb.jar")
#: To the SQL standard a name without quotes begins with a letter.
_OURS = re.compile(r'(?<![\w"\'])_sela_\w+')


@cache
def _keep_for_java(number: signal.Signals) -> None:
    """Leave a signal to the JVM, which lives by it: Airflow takes SIGSEGV when it reads a DAG file.

    In a task the file is read first and the JVM takes the signal last. A process that runs many tests does
    both in any order, and falls into Airflow's handler for ever.
    """
    taken = signal.signal

    def taken_but_for(other: int, handler: Any) -> Any:
        return None if other == number else taken(other, handler)

    pytest.MonkeyPatch().setattr(signal, "signal", taken_but_for)


def _handler(number: signal.Signals) -> int:
    """The address of what a signal runs: Python knows of handlers of its own only."""
    action = (ctypes.c_void_p * 32)()
    ctypes.CDLL(None).sigaction(number, None, action)
    return action[0] or 0


@cache
def _handler_of_java() -> int:
    """The same of SIGSEGV, of a JVM that has just come up."""
    return _handler(signal.SIGSEGV)


class Jdbc(Database):
    """A database of Java's, in the memory of a server of its own. Each process starts a JVM to reach it."""

    text, bigint, json_type = "CLOB", "BIGINT", "CLOB"
    timestamp = "TIMESTAMP(6) WITH TIME ZONE"
    placeholder = "?"
    transactional_ddl = False
    queued = False
    slow = True
    dies_every = 7
    driver: str
    user: str

    def __init__(self, url: str) -> None:
        self.url = url
        _keep_for_java(signal.SIGSEGV)

    @property
    def connection(self) -> dict[str, Any]:
        extra = {"driver_class": self.driver, "driver_path": ",".join(JARS)}
        return {"conn_type": "jdbc", "host": self.url, "login": self.user, "password": "", "extra": extra}

    def connect(self) -> Any:
        import jaydebeapi

        connection = jaydebeapi.connect(self.driver, self.url, [self.user, ""], list(JARS))
        connection.jconn.setAutoCommit(False)
        taken = _handler_of_java() != _handler(signal.SIGSEGV)
        assert not taken, "a library took SIGSEGV, and the JVM will fall: work with it apart, see apart.py"
        return connection

    def drop(self) -> None:
        with suppress(Exception):
            self.run("SHUTDOWN")

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        super().run(_OURS.sub(lambda name: f'"{name[0].upper()}"', sql), parameters)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.cursor() as cursor:
            cursor.execute(_OURS.sub(lambda name: f'"{name[0].upper()}"', sql))
            return [tuple(map(_from_java, row)) for row in cursor.fetchall()]

    def table(self, name: str = "leads", order: str = "id") -> list[dict[str, Any]]:
        names = [
            row[0].lower()
            for row in self.rows(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = CURRENT_SCHEMA"
                f" AND LOWER(table_name) = '{name}' ORDER BY ordinal_position"
            )
        ]
        rows = self.rows(f"SELECT * FROM {name} ORDER BY {order}")
        return [{key: plain(key, value) for key, value in zip(names, row, strict=True)} for row in rows]

    catalogue = "SELECT table_name FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA"


def _from_java(value: Any) -> Any:
    if hasattr(value, "getSubString"):
        return str(value.getSubString(1, int(value.length())))
    if type(value).__module__.startswith("java."):
        return int(value) if isinstance(value, int) else str(value)
    return value


class H2(Jdbc):
    name = "h2"
    driver, user = "org.h2.Driver", "sa"

    def __init__(self, port: int, schema: str, options: str = "") -> None:
        super().__init__(f"jdbc:h2:tcp://127.0.0.1:{port}/mem:{schema};DB_CLOSE_DELAY=-1{options}")


class HSQLDB(Jdbc):
    name = "hsqldb"
    driver, user = "org.hsqldb.jdbc.JDBCDriver", "SA"

    def __init__(self, port: int, schema: str) -> None:
        super().__init__(f"jdbc:hsqldb:hsql://127.0.0.1:{port}/{schema};mem:{schema}")
