from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_sela.exceptions import SelaError, SelaRateLimitError, SelaUnavailableError
from airflow_provider_sela.http.async_transport import shared_transport
from airflow_provider_sela.http.exchange import CalledOffError, Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.settings import Settings
from tests.support.connections import Connect, Fields
from tests.support.faults import FaultServer, hang_up, page_body, reply

GOOD = reply(200, page_body([{"id": 1}]))
ReadTwice = Callable[[FaultServer], list[SelaError]]


def twice_in_a_thread(server: FaultServer) -> list[SelaError]:
    transport, errors = Transport(settings_of(server), logging.getLogger(__name__)), []
    for _ in range(2):
        with pytest.raises(SelaError) as caught:
            transport.read({}, 1, 100)
        errors.append(caught.value)
    transport.close()
    return errors


def twice_on_a_loop(server: FaultServer) -> list[SelaError]:
    async def ask() -> list[SelaError]:
        errors = []
        async with shared_transport(settings_of(server)) as transport:
            for _ in range(2):
                with pytest.raises(SelaError) as caught:
                    await transport.read({}, 1, 100, logging.getLogger(__name__))
                errors.append(caught.value)
        return errors

    return asyncio.run(ask())


def settings_of(server: FaultServer) -> Settings:
    return Settings.from_connection(Fields(host=server.url))


@pytest.fixture(params=[twice_in_a_thread, twice_on_a_loop], ids=["requests", "httpx"])
def read_twice(request: pytest.FixtureRequest) -> ReadTwice:
    """Reads twice over one connection, and gives both errors."""
    ask: ReadTwice = request.param
    return ask


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 521, 524, 526, 529, 530])
def test_a_transient_status_is_tried_again_as_often_as_the_connection_says(
    status: int, connect: Connect, slept: list[float]
) -> None:
    with FaultServer(reply(status)) as server, pytest.raises(SelaUnavailableError, match=f"HTTP {status}"):
        connect(server, max_attempts=4).read({}, 1, 100)
    assert len(server.requests) == 4
    assert len(slept) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 418, 422, 451])
def test_a_refusal_is_not_tried_again(status: int, connect: Connect, slept: list[float]) -> None:
    with FaultServer(reply(status)) as server, pytest.raises(SelaError):
        connect(server).read({}, 1, 100)
    assert len(server.requests) == 1


def test_the_caller_may_ask_for_a_single_attempt(connect: Connect) -> None:
    with FaultServer(hang_up) as server, pytest.raises(SelaUnavailableError):
        connect(server).read({}, 1, 100, max_attempts=1)
    assert len(server.requests) == 1


def test_what_a_read_cost_is_counted(connect: Connect, slept: list[float]) -> None:
    with FaultServer(reply(429, Retry_After="3"), reply(503, Retry_After="4"), GOOD) as server:
        transport = connect(server)
        run = Run(transport.settings)
        transport.read({}, 1, 100, run=run)
    assert (run.requests, run.retries) == (3, 2)
    assert slept[0] == 3
    assert run.budget.left == 593


def test_a_retry_is_told_in_the_log_with_page_error_and_wait(
    connect: Connect, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with FaultServer(reply(429, Retry_After="3"), GOOD) as server:
        connect(server).read({}, 1, 100)
    [line] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert line.getMessage() == (
        "Sela page 1: attempt 2 of 5, waiting 3.0 s as the server asked; HTTP 429: too many requests for "
        "this token, lower extra 'requests_per_second'; run it again later"
    )


def test_a_wait_that_nobody_asked_for_is_told_as_ours(
    connect: Connect, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with FaultServer(reply(503), reply(503), GOOD) as server:
        connect(server, max_attempts=3).read({}, 7, 100)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line.partition(" s; ")[0] for line in lines] == [
        f"Sela page 7: attempt {number} of 3, waiting {seconds:.1f}"
        for number, seconds in enumerate(slept, 2)
    ]


def test_many_refusals_of_a_throttled_server_fold_into_one_line(
    connect: Connect, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Each page of the read is refused once, and waits a second."""
    busy = reply(429, Retry_After="1")
    with FaultServer(*[busy, GOOD] * 25) as server:
        transport = connect(server)
        run = Run(transport.settings)
        for page in range(1, 26):
            transport.read({}, page, 100, run=run)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert run.retries == 25
    assert [line.partition(":")[0] for line in lines] == ["Sela page 1", "Sela page 11", "Sela page 21"]
    assert lines[0].endswith("run it again later")
    assert lines[1].endswith("(and 9 more like it since the last such line)")


def test_a_failure_that_goes_on_is_told_at_each_attempt(
    connect: Connect, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Folding hides how often the same comes, never that it becomes worse."""
    with FaultServer(reply(429, Retry_After="0"), reply(429, Retry_After="0"), reply(503), GOOD) as server:
        connect(server).read({}, 1, 100)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line[13:27] for line in lines] == ["attempt 2 of 5", "attempt 3 of 5", "attempt 4 of 5"]


def test_retry_after_is_obeyed_in_seconds_of_the_real_clock(connect: Connect) -> None:
    with FaultServer(reply(429, Retry_After="1"), GOOD) as server:
        connect(server).read({}, 1, 100)
    first, second = server.requests
    assert 1.0 <= second.at - first.at < 2.0


def test_retry_after_is_obeyed_as_a_date(connect: Connect, slept: list[float]) -> None:
    date = (datetime.now(UTC) + timedelta(seconds=100)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with FaultServer(reply(503, Retry_After=date), GOOD) as server:
        connect(server).read({}, 1, 100)
    assert 95 < slept[0] <= 100


@pytest.mark.parametrize("value", ["0", "-1", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_of_now_is_retried_at_once(value: str, connect: Connect, slept: list[float]) -> None:
    with FaultServer(reply(429, Retry_After=value), GOOD) as server:
        connect(server).read({}, 1, 100)
    assert slept == [0]


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "1e999", "Mon, 99 Xxx 2026 12:00:00 GMT"])
def test_a_retry_after_that_makes_no_sense_counts_as_none(
    value: str, connect: Connect, slept: list[float]
) -> None:
    with FaultServer(reply(429, Retry_After=value), GOOD) as server:
        connect(server).read({}, 1, 100)
    assert 0 <= slept[0] <= 1


@pytest.mark.parametrize(
    "value", ["86400", "86401", "4000000000", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_a_retry_after_beyond_the_budget_fails_at_once_and_says_a_day_at_most(
    value: str, connect: Connect
) -> None:
    started = time.monotonic()
    with FaultServer(reply(429, Retry_After=value)) as server, pytest.raises(SelaRateLimitError) as caught:
        connect(server).read({}, 1, 100)
    assert time.monotonic() - started < 1
    assert len(server.requests) == 1
    assert caught.value.retry_after == 86_400


def test_an_epoch_as_retry_after_is_a_moment(connect: Connect, slept: list[float]) -> None:
    with FaultServer(reply(503, Retry_After=str(int(time.time()) + 100)), GOOD) as server:
        connect(server).read({}, 1, 100)
    assert 95 < slept[0] <= 100


def test_who_comes_while_the_server_wants_a_long_pause_is_told_and_does_not_sleep(
    read_twice: ReadTwice,
) -> None:
    """In threads and on a loop: the pause of one read is another's who shares the connection."""
    started = time.monotonic()
    with FaultServer(reply(429, Retry_After="3600"), GOOD) as server:
        first, second = read_twice(server)
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1
    assert first.retry_after == 3600
    assert type(second) is SelaUnavailableError
    assert 3590 < (second.retry_after or 0) <= 3600
    assert "the server asked for a pause, which ends in 3" in str(second)


def test_the_budget_is_shared_by_all_pages_of_a_read(connect: Connect, slept: list[float]) -> None:
    with FaultServer(
        reply(429, Retry_After="4"), GOOD, reply(429, Retry_After="4"), GOOD, reply(429, Retry_After="4")
    ) as server:
        transport = connect(server, retry_budget=10)
        run = Run(transport.settings)
        transport.read({}, 1, 100, run=run)
        transport.read({}, 2, 100, run=run)
        with pytest.raises(SelaRateLimitError):
            transport.read({}, 3, 100, run=run)
    assert run.retries == 2


def test_the_connections_budget_is_the_default(connect: Connect, slept: list[float]) -> None:
    with FaultServer(reply(429, Retry_After="2")) as server, pytest.raises(SelaRateLimitError):
        connect(server, retry_budget=5).read({}, 1, 100)
    assert len(server.requests) == 3


def read_from_threads(transport: Transport, threads: int, pages: int) -> None:
    failures: list[BaseException] = []

    def member() -> None:
        try:
            for _ in range(pages):
                transport.read({}, 1, 100)
        except BaseException as error:  # noqa: BLE001 (told below)
            failures.append(error)

    crew = [threading.Thread(target=member) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(30)
    assert failures == []


def test_requests_per_second_hold_for_all_threads_together(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        read_from_threads(connect(server, requests_per_second=20), threads=4, pages=3)
    sent = sorted(request.at for request in server.requests)
    assert len(sent) == 12
    assert sent[-1] - sent[0] >= 11 / 20 - 0.15


def test_retry_after_holds_all_threads(connect: Connect) -> None:
    with FaultServer(GOOD, reply(429, Retry_After="1"), GOOD) as server:
        transport = connect(server)
        transport.read({}, 1, 100)
        limited = threading.Thread(target=transport.read, args=({}, 2, 100))
        limited.start()
        while len(server.requests) < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        read_from_threads(transport, threads=3, pages=1)
        limited.join()
    refused = server.requests[1].at
    assert len(server.requests) == 6
    assert all(request.at - refused >= 0.99 for request in server.requests[2:])


def test_threads_that_waited_for_a_pause_do_not_start_all_at_once_under_a_cap(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server, requests_per_second=10)
        transport.exchange.pacer.pause(time.monotonic(), 0.5)
        started = time.monotonic()
        read_from_threads(transport, threads=4, pages=1)
    sent = sorted(request.at for request in server.requests)
    assert sent[0] - started >= 0.45
    assert sent[-1] - sent[0] >= 0.25


def test_a_pause_that_begins_while_a_thread_waits_its_turn_holds_it_too(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server, requests_per_second=5)
        transport.read({}, 1, 100)
        waiting = threading.Thread(target=transport.read, args=({}, 2, 100))
        waiting.start()
        time.sleep(0.05)
        transport.exchange.pacer.pause(time.monotonic(), 0.6)
        paused = time.monotonic()
        waiting.join()
    assert server.requests[1].at - paused >= 0.55


def test_a_read_that_was_called_off_sleeps_no_longer(connect: Connect) -> None:
    with FaultServer(reply(429, Retry_After="60")) as server:
        transport = connect(server)
        run = Run(transport.settings)
        threading.Timer(0.2, run.called_off.set).start()
        started = time.monotonic()
        with pytest.raises(CalledOffError):
            transport.read({}, 1, 100, run=run)
    assert time.monotonic() - started < 5
