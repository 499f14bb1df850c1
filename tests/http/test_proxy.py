from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from airflow_provider_sela.exceptions import SelaSetupError, SelaUnavailableError
from tests.support.connections import Connect
from tests.support.faults import FaultServer, nobody, page_body, reply
from tests.support.proxy import Proxy
from tests.support.tls import Authority

GOOD = reply(200, page_body([{"id": 1}]))


@pytest.fixture
def no_proxy_there() -> Iterator[str]:
    """URL of a proxy that is not there."""
    with nobody() as place:
        yield f"http://{place}"


def test_requests_go_through_the_proxy_of_the_connection(connect: Connect) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server:
        assert connect(server, proxy=proxy.url).read({}, 1, 100).count == 1
    assert proxy.requests[0].target.startswith(f"{server.url}/api/leads/")
    assert server.requests[0].headers["authorization"] == "Token fault-token"


def test_a_request_that_a_caller_prepared_goes_through_it_too(connect: Connect) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server:
        session = connect(server, proxy=proxy.url).session
        request = session.prepare_request(requests.Request("GET", f"{server.url}/api/leads/"))
        assert session.send(request).json()["count"] == 1
    assert len(proxy.requests) == 1


def test_https_is_tunnelled_so_that_the_proxy_never_sees_the_token(connect: Connect, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Proxy() as proxy, FaultServer(GOOD, tls=authority.server()) as server:
        transport = connect(server, proxy=proxy.url, verify=str(authority.bundle))
        assert transport.read({}, 1, 100).count == 1
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert "authorization" not in proxy.requests[0].headers
    assert server.requests[0].headers["authorization"] == "Token fault-token"


def test_the_proxy_of_the_connection_wins_over_the_environment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, no_proxy_there: str
) -> None:
    """``requests`` prefers the variable."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", no_proxy_there)
    monkeypatch.setenv("HTTP_PROXY", no_proxy_there)
    with Proxy() as proxy, FaultServer(GOOD) as server:
        assert connect(server, proxy=proxy.url).read({}, 1, 100).count == 1
    assert len(proxy.requests) == 1


def test_without_one_the_proxy_of_the_environment_is_used(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Proxy() as proxy, FaultServer(GOOD) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert connect(server).read({}, 1, 100).count == 1
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_credentials_is_a_matter_of_set_up(scheme: str, connect: Connect) -> None:
    with Proxy("user:secret") as proxy, pytest.raises(SelaSetupError, match="proxy wants credentials"):
        connect(f"{scheme}://127.0.0.1:9", proxy=proxy.url).read({}, 1, 100)
    assert len(proxy.requests) == 1


def test_credentials_in_the_proxy_url_are_shown_to_the_proxy_alone(connect: Connect, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Proxy("user:secret") as proxy, FaultServer(GOOD, tls=authority.server()) as server:
        url = proxy.url.replace("http://", "http://user:secret@")
        assert connect(server, proxy=url, verify=str(authority.bundle)).read({}, 1, 100).count == 1
    assert "proxy-authorization" not in server.requests[0].headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_reached_is_told_and_worth_a_retry(
    scheme: str, connect: Connect, no_proxy_there: str
) -> None:
    transport = connect(f"{scheme}://127.0.0.1:9", proxy=no_proxy_there, max_attempts=1)
    with pytest.raises(SelaUnavailableError, match="proxy cannot be reached or refuses; check extra 'proxy'"):
        transport.read({}, 1, 100)


def test_a_proxy_that_is_down_is_not_mistaken_because_of_digits_in_a_filter(
    connect: Connect, no_proxy_there: str
) -> None:
    """The URL is in the library's message: a phone number with 407 in it must not look like the status."""
    transport = connect("https://127.0.0.1:9", proxy=no_proxy_there, max_attempts=1)
    with pytest.raises(SelaUnavailableError, match="cannot be reached"):
        transport.read({"phone_number": "+14075550100"}, 407, 100)
