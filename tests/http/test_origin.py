"""The token goes to the configured origin alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError
from tests.support.connections import Connect
from tests.support.faults import FaultServer, Received, Wire, page_body, pages, reply

LEADS: list[dict[str, Any]] = [{"id": number} for number in range(1, 26)]
TOKEN = "Token fault-token"


@pytest.fixture(params=["NETRC", "HOME"])
def netrc(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real netrc that names the server, found by either variable."""
    file = tmp_path / (".netrc" if request.param == "HOME" else "credentials")
    file.write_text(
        "machine 127.0.0.1 login mallory password hunter2\ndefault login mallory password hunter2\n"
    )
    file.chmod(0o600)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv(request.param, str(tmp_path if request.param == "HOME" else file))


def test_the_netrc_of_this_test_is_one_that_requests_obeys(netrc: None) -> None:
    import requests

    with FaultServer(reply()) as server:
        requests.get(f"{server.url}/", timeout=5)
    assert server.requests[0].headers["authorization"].startswith("Basic ")


def test_netrc_cannot_replace_the_token(netrc: None, connect: Connect) -> None:
    with FaultServer(reply()) as server:
        transport = connect(server)
        transport.read({}, 1, 100)
        transport.session.get(f"{server.url}/api/lead-types/")
    assert [request.headers["authorization"] for request in server.requests] == [TOKEN, TOKEN]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int, connect: Connect) -> None:
    with FaultServer(reply(200, page_body([]))) as elsewhere:
        moved = reply(status, b"", Location=f"{elsewhere.url}/api/leads/")
        with (
            FaultServer(moved) as server,
            pytest.raises(SelaSetupError, match=f"redirects to {elsewhere.url}"),
        ):
            connect(server).read({}, 1, 100)
    assert elsewhere.connections == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_the_users_own_requests_follow_no_redirect_either(method: str, connect: Connect) -> None:
    with FaultServer(reply(200, b"")) as elsewhere:
        with FaultServer(reply(302, b"", Location=f"{elsewhere.url}/")) as server:
            assert getattr(connect(server).session, method)(f"{server.url}/x").status_code == 302
        assert elsewhere.connections == 0


def test_a_redirect_that_the_user_asked_for_does_not_carry_the_token_away(connect: Connect) -> None:
    with FaultServer(reply(200, b"{}")) as elsewhere:
        with FaultServer(reply(302, b"", Location=f"{elsewhere.url}/")) as server:
            connect(server).session.get(f"{server.url}/x", allow_redirects=True)
        [request] = elsewhere.requests
    assert "authorization" not in request.headers


def test_a_request_of_the_users_to_another_origin_does_not_carry_the_token(connect: Connect) -> None:
    with FaultServer(reply()) as server, FaultServer(reply()) as other:
        session = connect(server).session
        session.get(f"{other.url}/")
        session.get(f"{server.url}/")
    assert "authorization" not in other.requests[0].headers
    assert server.requests[0].headers["authorization"] == TOKEN


def test_a_request_of_the_users_has_a_timeout_of_its_own(connect: Connect) -> None:
    import requests

    from tests.support.faults import silent

    with FaultServer(silent) as server, pytest.raises(requests.ReadTimeout):
        connect(server, timeout=0.2).session.get(f"{server.url}/")
    with FaultServer(silent) as server, pytest.raises(requests.ReadTimeout):
        connect(server, timeout=30).session.get(f"{server.url}/", timeout=0.2)


@pytest.mark.parametrize(
    "link",
    ["{other}/api/leads/?page={{}}", "http://localhost:{port}/api/leads/?page={{}}", "https://127.0.0.1:{port}/?page={{}}",
     "//evil.example/?page={{}}", "?page={{}}", "file:///etc/passwd?page={{}}", "http://h:99999/?page={{}}"],
)  # fmt: skip
def test_next_on_another_origin_is_never_contacted_and_the_walk_still_reads_everything(
    link: str, hook_to: Any
) -> None:
    with FaultServer(reply(200, page_body([{"id": 666}]))) as other:
        server = FaultServer(reply())
        written = link.format(other=other.url, port=server.port)
        server.acts = [pages(LEADS, 10, written)]
        with server:
            assert [lead["id"] for lead in hook_to(server).iter_leads()] == [lead["id"] for lead in LEADS]
        assert other.connections == 0
    assert len(server.requests) == 3
    assert server.connections == 1


def test_the_filters_of_next_are_not_taken_over(hook_to: Any) -> None:
    """Each request is made from our own parameters; ``next`` gives nothing but a page number."""
    with FaultServer(pages(LEADS, 10, "http://h/?email=other%40example.com&page_size=1&page={}")) as server:
        list(hook_to(server).iter_leads(email="ada@example.com", page_size=10))
    assert all("email=ada%40example.com" in request.target for request in server.requests)
    assert all("page_size=10" in request.target for request in server.requests)


def test_a_host_with_a_path_keeps_its_path_and_its_token(connect: Connect) -> None:
    with FaultServer(reply()) as server:
        connect(f"{server.url}/gateway/sela").read({}, 1, 100)
    assert server.requests[0].target.startswith("/gateway/sela/api/leads/?page=1")
    assert server.requests[0].headers["authorization"] == TOKEN


def test_a_server_sees_only_the_headers_that_it_needs(connect: Connect) -> None:
    seen: list[Received] = []

    def look(wire: Wire, request: Received) -> bool:
        seen.append(request)
        return bool(reply()(wire, request))

    with FaultServer(look) as server:
        connect(server).read({}, 1, 100)
    assert set(seen[0].headers) == {
        "host",
        "user-agent",
        "accept-encoding",
        "accept",
        "connection",
        "authorization",
        "cache-control",
    }
