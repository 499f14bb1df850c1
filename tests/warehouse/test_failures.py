"""Which failures of a database no retry can mend, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaTargetError, SelaTargetUnavailableError
from airflow_provider_sela.warehouse.failures import quoted, scrubbed
from airflow_provider_sela.warehouse.registry import engine_for
from tests.support.databases import Database


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("wrong", [{"schema": "nowhere"}, {"login": "nobody", "password": "wrong"}])
def test_a_login_that_is_refused_is_told_in_the_databases_words_and_not_retried(
    database: Database, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**database.connection, **wrong}))
    with pytest.raises(SelaTargetError, match=r"'warehouse': cannot open the database: .*no") as refused:
        engine_for("warehouse", "leads").__enter__()
    assert not refused.value.retryable


class DriverError(Exception):
    """A driver's error with a code."""


def failing(error: Exception) -> Any:
    raise error


def coded(*args: Any, **codes: Any) -> Exception:
    error = DriverError(*args)
    error.__dict__.update(codes)
    return error


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (coded(sqlstate="22003"), True),
        (coded(sqlstate="40001"), False),
        (coded(sqlstate="08006"), False),
        (coded(pgcode="42501"), True),
        (coded("42S02", "[42S02] no such table"), True),
        (coded("HYT00", "time-out"), False),
        (coded(1366, "Incorrect string value"), True),
        (coded(1213, "Deadlock found"), False),
        (coded(1197, "more than max_binlog_cache_size"), True),
        (coded("more than max_binlog_cache_size", errno=1197, sqlstate="HY000"), True),
        (coded("Lost connection", errno=2013, sqlstate="HY000"), False),
        (coded(sqlstate="P0001"), True),
        (coded(sqlstate="53400"), True),
        (coded(sqlstate="53300"), False),
        (coded("Too many connections", errno=1203, sqlstate="42000"), False),
        (coded("1142", errno=1142, sqlstate="42000"), True),
        (coded(sqlite_errorname="SQLITE_CONSTRAINT_NOTNULL"), True),
        (coded(sqlite_errorname="SQLITE_BUSY"), False),
        (coded(sqlite_errorname="SQLITE_IOERR_WRITE"), False),
        (coded(sqlite_errorname="SQLITE_READONLY_DBMOVED"), True),
        (DriverError("FATAL:  no such database: nowhere"), True),
        (DriverError("FATAL:  sorry, too many clients already"), False),
        (DriverError('IO Error: Could not set lock on file "x": Conflicting lock is held'), False),
        (TypeError("No matching overloads"), True),
        (OSError(28, "No space left on device"), False),
        (type("IntegrityError", (Exception,), {})(), True),
        (type("OperationalError", (Exception,), {})(), False),
    ],
)
def test_a_code_says_whether_a_retry_can_help(error: Exception, final: bool) -> None:
    runs: list[Callable[[], object]] = [
        lambda: scrubbed(lambda: failing(error)),
        lambda: quoted(lambda: failing(error), "here"),
    ]
    for run in runs:
        with pytest.raises(SelaTargetError) as raised:
            run()
        assert raised.value.retryable is not final
        assert raised.value.__context__ is None


def test_a_key_that_is_there_twice_passes_where_loads_do_not_queue() -> None:
    with pytest.raises(SelaTargetUnavailableError):
        scrubbed(lambda: failing(coded(sqlstate="23505")), queued=False)


def test_a_message_that_looks_like_a_code_is_not_told() -> None:
    with pytest.raises(SelaTargetError) as raised:
        scrubbed(lambda: failing(DriverError("SMITH")))
    assert "SMITH" not in str(raised.value)


def test_a_number_is_told_where_the_state_says_nothing() -> None:
    with pytest.raises(SelaTargetError, match=r"\(1526\)"):
        scrubbed(lambda: failing(coded("no partition for 7", errno=1526, sqlstate="HY000")))
    with pytest.raises(SelaTargetError, match=r"\(HY000\)"):
        scrubbed(lambda: failing(coded("HY000", "[HY000] something")))
