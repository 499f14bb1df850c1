"""The sample API as a server: connections, threads, its beginning and its end."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_sela.testing import Request, Response, SelaApi, sample_leads
from tests.testing.client import TOKEN, ask, ask_once, connect


def threads_of(api: SelaApi) -> list[str]:
    name = f"sela-api-{urlsplit(api.url).port}"
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(name)]


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_walk_along_next_reads_every_lead_once_over_one_connection() -> None:
    with SelaApi(leads=95, page_size=10) as api, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Token {TOKEN}"
        url: str | None = f"{api.url}/api/leads/"
        seen: list[dict[str, Any]] = []
        while url is not None:
            page = session.get(url, timeout=10).json()
            assert page["count"] == 95
            seen += page["results"]
            url = page["next"]
        assert seen == sample_leads(95)
        assert len(api.requests) == 10
        assert api.connections == 1


def test_a_request_is_on_record_with_its_answer() -> None:
    with SelaApi(leads=3) as api:
        connection = connect(api.url)
        ask(connection, "/api/leads/?email=a%40example.com&page=2", headers={"X-Run": "7"})
        ask(connection, token="wrong")
        assert connection.sock is not None
        address = connection.sock.getsockname()
        connection.close()
    first, second = api.requests
    assert (first.method, first.path, first.status, first.client) == ("GET", "/api/leads/", 404, address)
    assert first.query == {"email": "a@example.com", "page": "2"}
    assert first.headers["x-run"] == "7"
    assert second.status == 401


def test_the_token_is_in_no_repr() -> None:
    with SelaApi(leads=1) as api:
        ask_once(api.url)
    assert api.requests[0].headers["authorization"] == f"Token {TOKEN}"
    assert TOKEN not in repr(api) + repr(api.requests)


def test_threads_get_whole_and_correct_answers_at_once() -> None:
    expected = sample_leads(200)
    barrier = threading.Barrier(4)

    def read(api: SelaApi, offset: int) -> list[dict[str, Any]]:
        connection = connect(api.url)
        barrier.wait(timeout=10)
        pages = [1 + (offset + turn) % 20 for turn in range(20)]
        leads = [ask(connection, f"/api/leads/?page={page}").json()["results"] for page in pages]
        connection.close()
        return sorted((lead for page in leads for lead in page), key=lambda lead: int(lead["id"]))

    with SelaApi(expected, page_size=10) as api, ThreadPoolExecutor(4) as pool:
        for leads in pool.map(lambda offset: read(api, offset), range(4)):
            assert leads == expected
        assert api.connections == 4
        assert len(api.requests) == 80


def test_two_requests_are_answered_at_the_same_time() -> None:
    """Each waits for the other inside the server."""
    together = threading.Barrier(2)

    class Meeting(SelaApi):
        def respond(self, request: Request) -> Response:
            together.wait(timeout=10)
            return super().respond(request)

    with Meeting(leads=1) as api, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask_once(api.url).status, range(2)))
    assert answers == [200, 200]


def test_nothing_is_left_after_the_block() -> None:
    """Neither threads nor sockets, though a client still holds its connection open."""
    gc.collect()
    before = open_files()
    with SelaApi(leads=3) as api:
        idle = [connect(api.url) for _ in range(3)]
        for connection in idle:
            ask(connection)
        assert len(threads_of(api)) == 4
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert threads_of(api) == []
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(idle[0])
    for connection in idle:
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        ask_once(api.url)
    assert open_files() == before
    api.close()


def test_closing_does_not_wait_for_latency() -> None:
    with SelaApi(leads=1, latency=60) as api:
        connection = connect(api.url)
        connection.request("GET", "/api/leads/")
        deadline = time.monotonic() + 10
        while not api.requests and time.monotonic() < deadline:
            time.sleep(0.005)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert threads_of(api) == []
    connection.close()


def test_latency_delays_each_answer() -> None:
    with SelaApi(leads=1, latency=0.05) as api:
        connection = connect(api.url)
        started = time.monotonic()
        ask(connection)
        ask(connection)
        assert time.monotonic() - started >= 0.1
        connection.close()
    with api:
        started = time.monotonic()
        ask_once(api.url)
        assert time.monotonic() - started >= 0.05


def test_two_run_side_by_side_and_one_after_the_other() -> None:
    with SelaApi(leads=1) as first, SelaApi(leads=2, token="other") as second:
        assert ask_once(first.url).json()["count"] == 1
        assert ask_once(second.url, token="other").json()["count"] == 2
        assert ask_once(second.url).status == 401
    with SelaApi(leads=3) as third:
        assert ask_once(third.url).json()["count"] == 3


def test_after_an_outage_it_is_back_on_its_port_with_its_leads() -> None:
    with SelaApi(leads=2) as api:
        url = api.url
        ask_once(url)
        api.delete(28000)
    with api:
        assert api.url == url
        assert ask_once(url).ids() == [28001]
        assert api.connections == 2
        with pytest.raises(RuntimeError, match="serving already"):
            api.__enter__()
        assert ask_once(url).status == 200


def test_every_answer_has_a_date_and_its_length() -> None:
    with SelaApi(leads=1) as api:
        connection = connect(api.url)
        for target in ("/api/leads/", "/api/leads/?page=9", "/nowhere/"):
            answer = ask(connection, target)
            age = datetime.now(UTC) - parsedate_to_datetime(answer.headers["date"])
            assert timedelta(seconds=-1) < age < timedelta(seconds=10)
            assert int(answer.headers["content-length"]) == len(answer.body)
        connection.close()


def test_an_old_client_without_host_gets_links_and_a_closed_connection() -> None:
    with SelaApi(leads=3, page_size=2) as api:
        at = urlsplit(api.url)
        with socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=10) as raw:
            raw.sendall(f"GET /api/leads/ HTTP/1.0\r\nAuthorization: Token {TOKEN}\r\n\r\n".encode())
            received = raw.makefile("rb").read()
    assert f'"next":"{api.url}/api/leads/?page=2"'.encode() in received


def test_the_connection_names_the_server_and_the_token() -> None:
    with SelaApi(leads=1, token="k") as api:
        assert json.loads(json.dumps(api.connection)) == {
            "conn_type": "sela",
            "host": f"http://127.0.0.1:{urlsplit(api.url).port}",
            "password": "k",
            "extra": {},
        }
