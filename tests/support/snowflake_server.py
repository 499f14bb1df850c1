"""fakesnow behind HTTPS in a process of its own, with what it lacks of Snowflake and the tests need.

The client is the real connector over the real protocol. Added here: UPDATE, DELETE and MERGE in a transaction
hold their table until it ends, and others wait (docs.snowflake.com, "Transactions"); a closed session is
rolled back; the login answers with the warehouse and a token to log out with; a timestamp that is NULL
arrives as NULL; a failure inside is an error of the statement and no broken server, which the connector would
ask again without end.

Run as ``python snowflake_server.py PORT CERTIFICATE KEY``.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from threading import Condition, RLock
from typing import Any
from urllib.parse import parse_qs

import duckdb
import fakesnow.arrow
import fakesnow.cursor
import fakesnow.server as fake
import pyarrow as pa
import pyarrow.compute as pc
import snowflake.connector.errors
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LOCK_TIMEOUT = 60.0
_parse = cache(fakesnow.cursor.parse_one)
_transform = FakeSnowflakeCursor._transform
_execute = FakeSnowflakeCursor._execute
_describe = FakeSnowflakeCursor._describe_last_sql
_timestamps = fakesnow.arrow.timestamp_to_sf_struct


class Transactions:
    """Who is in a transaction, and which tables it holds."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._open: set[Any] = set()
        self._holders: dict[str, Any] = {}

    def follow(self, connection: Any, statement: exp.Expression) -> None:
        """Before a statement runs: wait until nobody else holds its table."""
        if isinstance(statement, exp.Transaction):
            self._open.add(connection)
        if connection not in self._open or not isinstance(statement, exp.Update | exp.Delete | exp.Merge):
            return
        table = statement.this.name
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._holders.get(table, connection) is connection, LOCK_TIMEOUT
            )
            if not free:
                raise snowflake.connector.errors.ProgrammingError(
                    msg="lock timeout", errno=625, sqlstate="57014"
                )
            self._holders[table] = connection

    def end(self, connection: Any) -> None:
        with self._changed:
            self._open.discard(connection)
            self._holders = {table: by for table, by in self._holders.items() if by is not connection}
            self._changed.notify_all()


TRANSACTIONS = Transactions()
# DuckDB lets one of two statements fail that change its catalogue at the same time; Snowflake does not.
ONE_AT_A_TIME = RLock()


def parse(sql: str) -> exp.Expression:
    """A statement as a tree; the tests say the same again and again, and sqlglot takes its time."""
    tree: exp.Expression = _parse(sql).copy()
    tree.meta["said"] = sql
    return tree


def transform(cursor: Any, statement: exp.Expression, params: Any, known: dict[str, Any] = {}) -> Any:  # noqa: B006 (a cache)
    """The statement as DuckDB takes it, made once where that depends on nothing but its words."""
    said = statement.meta.get("said", "")
    plain = isinstance(statement, exp.Query | exp.Insert | exp.Update | exp.Delete) and said
    if not plain or "identifier(" in said.lower() or "information_schema" in said.lower():
        return _transform(cursor, statement, params)
    if said not in known:
        known[said] = _transform(cursor, statement, params)
    return known[said].copy()


def execute(cursor: Any, statement: exp.Expression, params: Any = None) -> None:
    TRANSACTIONS.follow(cursor._conn, statement)
    try:
        with ONE_AT_A_TIME:
            _execute(cursor, statement, params)
    except duckdb.Error as error:
        raise snowflake.connector.errors.ProgrammingError(
            msg=str(error), errno=100_000, sqlstate="XX000"
        ) from error
    finally:
        if isinstance(statement, exp.Commit | exp.Rollback):
            TRANSACTIONS.end(cursor._conn)


def describe(cursor: Any, known: dict[str, Any] = {}) -> Any:  # noqa: B006 (a cache)
    """The columns of a result, asked for once where they cannot change."""
    sql = cursor._last_sql
    if isinstance(cursor._last_transformed, exp.Query):
        return _describe(cursor)
    if sql not in known:
        known[sql] = _describe(cursor)
    return known[sql]


def timestamps(column: Any) -> Any:
    """As fakesnow sends them, only that NULL stays NULL."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    sent = _timestamps(pc.fill_null(column, pa.scalar(0, column.type)))
    return pa.StructArray.from_arrays(sent.flatten(), fields=list(sent.type), mask=pc.is_null(column))


def close(token: str) -> None:
    if connection := fake.sessions.get(token):
        connection.close()
        TRANSACTIONS.end(connection)


async def login(request: Request) -> Response:
    answer = await fake.login_request(request)
    content = json.loads(answer.body)
    content["data"]["sessionInfo"]["warehouseName"] = request.query_params.get("warehouse")
    # Without it the connector takes the session for closed, and never ends it.
    content["data"]["masterToken"] = content["data"]["token"]
    return JSONResponse(content)


async def session(request: Request) -> Response:
    if parse_qs(request.url.query).get("delete"):
        close(fake.to_token(request))
    answer: Response = await fake.session(request)
    return answer


async def query(request: Request) -> Response:
    answer: Response = await fake.query_request(request)
    if answer.status_code == 200:
        return answer
    content = {**json.loads(answer.body), "data": {"sqlState": "XX000"}}
    return JSONResponse(content)


async def bury(request: Request) -> Response:
    """End all sessions, as Snowflake does with those whose process was killed, only not after minutes."""
    for token in list(fake.sessions):
        close(token)
        del fake.sessions[token]
    return Response()


if __name__ == "__main__":
    fakesnow.cursor.parse_one = parse
    FakeSnowflakeCursor._transform = transform
    FakeSnowflakeCursor._execute = execute
    FakeSnowflakeCursor._describe_last_sql = describe
    fakesnow.arrow.timestamp_to_sf_struct = timestamps
    port, certificate, key = sys.argv[1:]
    routes = [
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/session", session, methods=["POST"]),
        Route("/queries/v1/query-request", query, methods=["POST"]),
        Route("/bury", bury, methods=["POST"]),
        *fake.routes,
    ]
    uvicorn.run(
        Starlette(routes=routes),
        port=int(port),
        log_level="error",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
