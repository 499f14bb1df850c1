"""What a server or the way to it can do wrong: an error of ours each time, or a retry that mends it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaPermissionError,
    SelaRequestError,
    SelaResponseError,
    SelaSetupError,
    SelaUnavailableError,
)
from airflow_provider_sela.http import exchange
from tests.support import faults
from tests.support.connections import Connect
from tests.support.faults import Act, FaultServer, page_body, reply

HTML = b"<!doctype html><title>Log in</title>"

MENDED_BY_A_RETRY = {
    "hang up before a byte": (
        faults.hang_up,
        SelaUnavailableError,
        "failed or was dropped; check Host and port",
    ),
    "reset before a byte": (faults.reset, SelaUnavailableError, "failed or was dropped; check Host and port"),
    "truncated body": (faults.truncated, SelaUnavailableError, "cut off"),
    "truncated body without length": (faults.truncated_unannounced, SelaResponseError, "cut off"),
    "truncated chunks": (faults.truncated_chunked, SelaUnavailableError, "cut off"),
    "truncated gzip": (faults.truncated_gzip, SelaResponseError, "cut off"),
    "no gzip": (faults.not_gzip, SelaUnavailableError, "cut off"),
    "reset in the body": (faults.reset_in_body, SelaUnavailableError, "cut off"),
    "HTML": (reply(200, HTML), SelaResponseError, "check that Host is the API"),
    "empty body": (reply(200, b""), SelaResponseError, "the answer is empty: check Host"),
    "a list": (reply(200, b"[]"), SelaResponseError, "an object with count and results was expected"),
    "another object": (reply(200, b'{"leads": []}'), SelaResponseError, "count and results were expected"),
    "count is text": (reply(200, b'{"count": "1", "results": []}'), SelaResponseError, "count and results"),
    "error page": (reply(503, HTML), SelaUnavailableError, "HTTP 503"),
    "not HTTP": (lambda wire, request: wire.send(b"SSH-2.0-OpenSSH\r\n"), SelaUnavailableError, "dropped"),
}
NOT_MENDED: dict[str, tuple[Act, type[SelaError], str]] = {
    "wrong token": (
        reply(401, b'{"detail":"Invalid token."}'),
        SelaAuthenticationError,
        "valid API token into Password",
    ),
    "no permission": (
        reply(403, b'{"detail":"x"}'),
        SelaPermissionError,
        "ask Sela to let this token read leads",
    ),
    "no such path": (reply(404, HTML), SelaSetupError, "set Host to https://api.trysela.com"),
    "bad request": (reply(400, b"{}"), SelaRequestError, "check the filters"),
    "redirect": (
        reply(302, b"", Location="https://sso.example.com/x"),
        SelaSetupError,
        "https://sso.example.com:443",
    ),
}


@pytest.mark.parametrize("fault", MENDED_BY_A_RETRY)
def test_a_fault_of_the_moment_is_mended_by_a_retry(fault: str, connect: Connect, slept: list[float]) -> None:
    act = MENDED_BY_A_RETRY[fault][0]
    with FaultServer(act, act, reply(200, page_body([{"id": 7}]))) as server:
        answer = connect(server).read({}, 1, 100)
    assert [lead["id"] for lead in answer.leads] == [7]
    assert len(server.requests) == 3
    assert len(slept) == 2


@pytest.mark.parametrize("fault", MENDED_BY_A_RETRY | NOT_MENDED)
def test_a_fault_that_stays_is_an_error_that_names_connection_and_remedy(
    fault: str, connect: Connect, slept: list[float]
) -> None:
    act, kind, words = (MENDED_BY_A_RETRY | NOT_MENDED)[fault]
    with FaultServer(act) as server, pytest.raises(SelaError) as caught:
        connect(server, max_attempts=2).read({}, 1, 100)
    assert type(caught.value) is kind
    assert str(caught.value).startswith("connection 'sela_default': ")
    assert words in str(caught.value)
    assert len(server.requests) == (2 if fault in MENDED_BY_A_RETRY else 1)


@pytest.mark.parametrize("act", [faults.silent, faults.silent_in_body])
def test_a_server_that_says_nothing_more_is_left_after_the_timeout(act: Act, connect: Connect) -> None:
    started = time.monotonic()
    with (
        FaultServer(act) as server,
        pytest.raises(SelaUnavailableError, match=r"did not answer within 0\.3 s; raise"),
    ):
        connect(server, timeout=0.3, max_attempts=1).read({}, 1, 100)
    assert time.monotonic() - started < 2


def test_a_server_that_drips_bytes_does_not_hold_a_task_for_ever(connect: Connect) -> None:
    """Each byte comes within the time-out, the whole answer never."""
    started = time.monotonic()
    with (
        FaultServer(faults.drip(0.05)) as server,
        pytest.raises(SelaUnavailableError, match="raise extra 'timeout'"),
    ):
        connect(server, timeout=0.1, max_attempts=1).read({}, 1, 100)
    assert 0.9 < time.monotonic() - started < 3


@pytest.fixture
def full_backlog() -> Iterator[str]:
    """An address that takes no more connections: nobody accepts, and the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"
        for client in waiting:
            client.close()


def test_a_connection_that_is_never_made_is_left_after_the_timeout(
    full_backlog: str, connect: Connect
) -> None:
    with pytest.raises(
        SelaUnavailableError, match=r"no connection to .* within 0.3 s; check Host, port and firewall"
    ):
        connect(full_backlog, timeout=0.3, max_attempts=1).read({}, 1, 100)


def test_a_port_where_nobody_listens_is_told(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        SelaUnavailableError, match=rf"http://127.0.0.1:{port} failed or was dropped; check Host and port"
    ):
        connect(f"http://127.0.0.1:{port}", max_attempts=1).read({}, 1, 100)


def test_an_unknown_host_is_told(connect: Connect) -> None:
    with pytest.raises(
        SelaUnavailableError, match=r"name of https://nothing\.invalid:443 cannot be resolved; check Host"
    ):
        connect("https://nothing.invalid", max_attempts=1).read({}, 1, 100)


def test_a_host_that_no_request_can_be_sent_to_is_told(connect: Connect) -> None:
    with pytest.raises(SelaSetupError, match=r"no request can be sent to .*: check Host and extras"):
        connect("https://.example.com").read({}, 1, 100)


def test_an_answer_too_large_for_a_worker_is_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 3 << 20)
    with (
        FaultServer(reply(200, b" " * (4 << 20))) as server,
        pytest.raises(SelaResponseError, match="larger than 3 MB: lower"),
    ):
        connect(server, max_attempts=1).read({}, 1, 100)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked_whole(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1 << 20)
    bomb = reply(200, gzip.compress(b" " * (64 << 20)), Content_Encoding="gzip")
    with FaultServer(bomb) as server, pytest.raises(SelaResponseError, match="larger than 1 MB"):
        connect(server, max_attempts=1).read({}, 1, 100)


def test_a_page_that_is_gone_is_told_apart_from_a_wrong_host(connect: Connect) -> None:
    from airflow_provider_sela.exceptions import SelaPageGoneError

    with FaultServer(reply(404, b'{"detail":"Invalid page."}')) as server, pytest.raises(SelaPageGoneError):
        connect(server).read({}, 5, 100)
    assert len(server.requests) == 1
