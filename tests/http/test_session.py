from __future__ import annotations

import re
import threading
import time

import pytest

from airflow_provider_sela import __version__
from tests.support.connections import Connect
from tests.support.faults import FaultServer, Received, Wire, http, page_body, reply

GOOD = reply(200, page_body([{"id": 1}]))


def test_a_request_asks_for_the_page_in_the_documented_way(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        connect(server).read({"email": "a+b@example.com", "phone_number": "+18042221111"}, 3, 50)
    [request] = server.requests
    assert request.method == "GET"
    assert request.target == (
        "/api/leads/?email=a%2Bb%40example.com&phone_number=%2B18042221111&page=3&page_size=50"
    )
    assert request.headers["authorization"] == "Token fault-token"
    assert request.headers["accept"] == "application/json"


def test_the_user_agent_names_provider_airflow_library_and_python_versions(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        connect(server).read({}, 1, 100)
    agent = server.requests[0].headers["user-agent"]
    ours, airflow, library, python = agent.split(" ")
    assert ours == f"airflow-provider-sela/{__version__}"
    assert re.fullmatch(r"apache-airflow/\d+\.\d+\.\d+\S*", airflow)
    assert re.fullmatch(r"requests/2\.\d+\.\d+", library)
    assert re.fullmatch(r"Python/3\.\d+\.\d+", python)


def test_a_caller_of_the_session_may_wait_for_an_answer_without_bound(connect: Connect) -> None:
    """By default an answer that takes ten time-outs, here a second, is given up."""
    answer = http(200, page_body([{"id": 1}]))

    def slowly(wire: Wire, request: Received) -> None:
        for place in range(0, len(answer), 10):
            time.sleep(12 / len(answer))
            wire.send(answer[place : place + 10])

    with FaultServer(slowly) as server:
        session = connect(server, timeout=0.1).session
        assert session.get(f"{server.url}/api/leads/", timeout=(5, None)).json()["count"] == 1


def test_a_page_is_asked_for_as_get_asks_for_it(connect: Connect) -> None:
    """The shorter way to a request leaves nothing out: headers of the session, its cookies, no redirect."""
    params = {"email": "a+b ~%2F'é\u2028@example.com", "page": "3"}
    cookie = reply(302, page_body([]), Set_Cookie="stick=worker-3; Path=/", Location="http://127.0.0.1:9/")
    with FaultServer(cookie) as server:
        session = connect(server).session
        url = f"{server.url}/api/leads/"
        for ask in (session.get_streamed, lambda url, params: session.get(url, params=params, stream=True)):
            session.cookies.clear()
            for trace in ("7", "8", "8"):
                session.headers["X-Trace"] = trace
                assert ask(url, params).status_code == 302
            session.cookies.clear()
            assert ask(url, params).status_code == 302
    asked = [(request.method, request.target, request.headers) for request in server.requests]
    stuck = "stick=worker-3"
    assert [request.headers.get("cookie") for request in server.requests[:4]] == [None, stuck, stuck, None]
    assert [request.headers["x-trace"] for request in server.requests[:4]] == ["7", "8", "8", "8"]
    assert asked[:4] == asked[4:]
    assert len(asked) == 8


def test_many_pages_take_one_socket(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server)
        for page in range(1, 31):
            transport.read({}, page, 100)
    assert (len(server.requests), server.connections) == (30, 1)


def test_a_chunked_answer_keeps_its_socket_too(connect: Connect) -> None:
    body = page_body([{"id": 1}])
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    def act(wire: object, request: object) -> bool:
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)  # type: ignore[attr-defined]
        return True

    with FaultServer(act) as server:
        transport = connect(server)
        for page in range(1, 6):
            assert transport.read({}, page, 100).count == 1
    assert server.connections == 1


def test_a_gzipped_answer_is_unpacked_and_keeps_its_socket_too(connect: Connect) -> None:
    import gzip

    body = page_body({"id": number, "status": "OPEN" * 50} for number in range(1000))
    with FaultServer(reply(200, gzip.compress(body), Content_Encoding="gzip")) as server:
        transport = connect(server)
        for page in range(1, 6):
            assert len(transport.read({}, page, 100).leads) == 1000
    assert server.connections == 1
    assert "gzip" in server.requests[0].headers["accept-encoding"]


def test_an_error_answer_keeps_its_socket_too(connect: Connect, slept: list[float]) -> None:
    with FaultServer(reply(503), reply(429, Retry_After="0"), GOOD) as server:
        connect(server).read({}, 1, 100)
    assert server.connections == 1


def test_each_thread_has_its_own_session_and_socket(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server)

        def member() -> None:
            transport.read({}, 1, 100)
            transport.read({}, 2, 100)

        threads = [threading.Thread(target=member) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert server.connections == 3
        assert transport.session is transport.session


def test_a_thread_that_is_done_gives_its_sockets_back(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server)
        transport.release()
        transport.read({}, 1, 100)
        before = transport.session
        transport.release()
        transport.read({}, 1, 100)
        assert transport.session is not before
    assert server.connections == 2


def test_a_closed_transport_can_be_used_again(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server)
        for _ in range(2):
            transport.read({}, 1, 100)
            transport.close()
            transport.close()
    assert server.connections == 2


def test_releasing_after_everything_was_closed_is_fine(connect: Connect) -> None:
    with FaultServer(GOOD) as server:
        transport = connect(server)
        session = transport.session
        transport._sessions.clear()
        transport.release()
        assert transport.session is not session


def test_the_servers_clock_comes_with_the_answer(connect: Connect) -> None:
    with FaultServer(reply(200, Date="Mon, 23 Nov 2026 12:00:00 GMT"), GOOD) as server:
        transport = connect(server)
        assert transport.read({}, 1, 100).date == 1795435200 * 1_000_000
        assert transport.read({}, 1, 100).date is None


@pytest.mark.parametrize("page_size", [None, 7])
def test_the_page_size_is_left_to_the_server_only_when_asked_so(
    page_size: int | None, connect: Connect
) -> None:
    with FaultServer(GOOD) as server:
        connect(server).read({}, 1, page_size)
    assert ("page_size" in server.requests[0].target) == (page_size is not None)
