"""103 Early Hints and its like come before an answer, and are none."""

from __future__ import annotations

import time

import pytest

from airflow_provider_sela.exceptions import SelaResponseError, SelaSetupError, SelaUnavailableError
from tests.http.transports import Read
from tests.support.connections import Connect
from tests.support.faults import Act, FaultServer, Received, Wire, http, page_body, reply

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def after(first: bytes, answer: bytes, pause: float = 0.0) -> Act:
    """Send something, and the answer a little later, as a server does that is still at work."""

    def act(wire: Wire, request: Received) -> bool:
        wire.send(first)
        time.sleep(pause)
        wire.send(answer)
        return True

    return act


@pytest.mark.parametrize("first", [HINTS, PROCESSING, CONTINUE, HINTS * 3, CONTINUE + PROCESSING + HINTS])
@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_an_informational_answer_is_passed_over(read: Read, first: bytes, pause: float) -> None:
    with FaultServer(after(first, http(200, page_body([{"id": 7}])), pause)) as server:
        assert [found["id"] for found in read(server, max_attempts=1).leads] == [7]
    assert len(server.requests) == 1


def test_each_request_gets_its_own_answer_on_one_socket(connect: Connect) -> None:
    """Who takes the hint for the answer finds the answer of page 1 where that of page 2 should be."""

    def act(wire: Wire, request: Received) -> bool:
        wire.send(HINTS)
        time.sleep(0.02)
        wire.send(http(200, page_body([{"id": request.page}])))
        return True

    with FaultServer(act) as server:
        transport = connect(server, max_attempts=1)
        for page in range(1, 11):
            assert [found["id"] for found in transport.read({}, page, 100).leads] == [page]
    assert (len(server.requests), server.connections) == (10, 1)


def test_the_answer_behind_a_hint_counts_for_what_it_is(read: Read) -> None:
    with (
        FaultServer(after(HINTS, http(404, b"{}"))) as server,
        pytest.raises(SelaSetupError, match="HTTP 404"),
    ):
        read(server)


def test_hints_without_end_are_left_after_ten_time_outs(read: Read) -> None:
    def act(wire: Wire, request: Received) -> None:
        while not wire.closing.wait(0.02):
            wire.send(HINTS)

    started = time.monotonic()
    with FaultServer(act) as server, pytest.raises(SelaUnavailableError, match="did not answer within"):
        read(server, timeout=0.1, max_attempts=1)
    assert 0.9 < time.monotonic() - started < 5


def test_a_hint_with_headers_without_end_is_left_too(read: Read) -> None:
    endless = b"HTTP/1.1 103 Early Hints\r\n" + b"X-Hint: x\r\n" * 200_000
    with FaultServer(after(endless, b"")) as server, pytest.raises(SelaUnavailableError):
        read(server, timeout=0.5, max_attempts=1)


def test_a_switch_of_protocols_that_nobody_asked_for_is_no_answer(read: Read) -> None:
    """It is not passed over: what follows is no HTTP."""
    switch = reply(101, b"", Upgrade="websocket", Connection="Upgrade")
    with FaultServer(switch) as server, pytest.raises((SelaUnavailableError, SelaResponseError)):
        read(server, timeout=0.5, max_attempts=1)
