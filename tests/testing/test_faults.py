"""A subclass can misbehave below HTTP, through ``Response.send`` or its headers."""

from __future__ import annotations

import http.client
import socket
import struct
import time

import pytest

from airflow_provider_sela.testing import Request, Response, SelaApi
from tests.testing.client import ask, ask_once, connect


def reset(connection: socket.socket) -> None:
    """Have the server's close send RST: lingering is on, for no time at all."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Faulty(SelaApi):
    """Breaks the first answer of each connection's first request, by one fault; then it is honest."""

    def fault(self, connection: socket.socket, answer: bytes) -> None:
        raise NotImplementedError

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        if len(self.requests) == 1:
            response.send = self.fault
        return response


class ResetsBeforeHeaders(Faulty):
    def fault(self, connection: socket.socket, answer: bytes) -> None:
        reset(connection)


class ResetsInBody(Faulty):
    def fault(self, connection: socket.socket, answer: bytes) -> None:
        connection.sendall(answer[: len(answer) // 2])
        reset(connection)


class Truncates(Faulty):
    def fault(self, connection: socket.socket, answer: bytes) -> None:
        connection.sendall(answer[:-10])


class Drips(Faulty):
    def fault(self, connection: socket.socket, answer: bytes) -> None:
        for start in range(0, len(answer), 256):
            connection.sendall(answer[start : start + 256])
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("faulty", "error"),
    [
        (ResetsBeforeHeaders, ConnectionResetError),
        (ResetsInBody, ConnectionResetError),
        (Truncates, http.client.IncompleteRead),
    ],
)
def test_a_connection_can_break_at_any_byte(faulty: type[Faulty], error: type[Exception]) -> None:
    with faulty(leads=20) as api:
        with pytest.raises(error):
            ask_once(api.url)
        assert len(ask_once(api.url).json()["results"]) == 20


def test_small_pieces_leave_at_once() -> None:
    """Nagle's algorithm is off, so that a drip is the drip that the test wrote."""
    seen: list[int] = []

    class Looks(Faulty):
        def fault(self, connection: socket.socket, answer: bytes) -> None:
            seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            connection.sendall(answer)

    with Looks(leads=1) as api:
        assert ask_once(api.url).status == 200
    assert seen[0] != 0


def test_an_answer_can_drip() -> None:
    with Drips(leads=5) as api:
        started = time.monotonic()
        assert ask_once(api.url).json()["count"] == 5
        assert time.monotonic() - started > 0.1


def test_a_block_ends_while_an_answer_drips() -> None:
    with Drips(leads=1_000, page_size=1_000) as api:
        connection = connect(api.url)
        connection.request("GET", "/api/leads/", headers={"Authorization": "Token sela-test-token"})
        connection.getresponse().read(10)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    connection.close()


@pytest.mark.parametrize(("difference", "error"), [(5, http.client.IncompleteRead), (-5, None)])
def test_a_wrong_content_length_goes_out_and_ends_the_connection(
    difference: int, error: type[Exception] | None
) -> None:
    class Wrong(SelaApi):
        def respond(self, request: Request) -> Response:
            response = super().respond(request)
            response.headers["Content-length"] = str(len(response.body) + difference)
            return response

    with Wrong(leads=1) as api:
        connection = connect(api.url)
        if error is None:
            answer = ask(connection)
            assert answer.headers["connection"] == "close"
            assert answer.body[-1:] != b"}"
        else:
            with pytest.raises(error):
                ask(connection)
        connection.close()


def test_a_bug_in_a_fault_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with Faulty(leads=1) as api, pytest.raises(http.client.RemoteDisconnected):
        ask_once(api.url)
    assert "NotImplementedError" in caplog.text


def test_a_client_that_hangs_up_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with SelaApi(leads=1_000, page_size=1_000, latency=0.05) as api:
        connection = connect(api.url)
        connection.request("GET", "/api/leads/", headers={"Authorization": "Token sela-test-token"})
        assert connection.sock is not None
        reset(connection.sock)
        connection.close()
        deadline = time.monotonic() + 5
        while (not api.requests or not api.requests[0].status) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert ask_once(api.url).status == 200
    assert caplog.text == ""


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_request_body_does_not_disturb_the_next_request(size: int) -> None:
    """A small one is skipped, a large one ends the connection."""
    with SelaApi(leads=1) as api:
        connection = connect(api.url)
        try:
            assert ask(connection, method="POST", body=b"x" * size).status == 405
        except (BrokenPipeError, ConnectionResetError):
            assert size > 1_000_000
            connection.close()
        assert ask(connection).status == 200
        assert api.connections == (1 if size == 100 else 2)
        connection.close()
