from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError, SelaUnavailableError
from tests.support.connections import Connect
from tests.support.faults import FaultServer, page_body, reply
from tests.support.tls import Authority

GOOD = reply(200, page_body([{"id": 1}]))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_certificate_of_an_unknown_authority_is_refused_with_the_remedy(
    authority: Authority, connect: Connect
) -> None:
    with FaultServer(GOOD, tls=authority.server()) as server, pytest.raises(SelaSetupError) as caught:
        connect(server).read({}, 1, 100)
    assert "is not trusted (unable to get local issuer certificate)" in str(caught.value)
    assert "set extra 'verify' to its CA bundle" in str(caught.value)
    assert server.requests == []


def test_the_authority_in_verify_is_trusted(authority: Authority, connect: Connect) -> None:
    with FaultServer(GOOD, tls=authority.server()) as server:
        answer = connect(server, verify=str(authority.bundle)).read({}, 1, 100)
    assert answer.count == 1
    assert server.requests[0].headers["authorization"] == "Token fault-token"


def test_authorities_are_loaded_once_for_all_threads_and_anew_after_closing(
    authority: Authority, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    load = ssl.create_default_context

    def noted(**places: Any) -> ssl.SSLContext:
        loaded.append(places)
        return load(**places)

    monkeypatch.setattr(ssl, "create_default_context", noted)
    with FaultServer(GOOD, tls=authority.server()) as server:
        transport = connect(server, verify=str(authority.bundle))
        for _ in range(2):
            loaded.clear()
            for _ in range(3):
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(transport.read, {}, 1, 100).result()
            assert loaded == [{"cafile": authority.bundle}]
            transport.close()
    assert len(server.requests) == 6


def test_verify_wins_over_the_environment(
    authority: Authority, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``requests`` prefers the variable, which on a worker may serve another purpose."""
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority(tmp_path / "other").bundle))
    with FaultServer(GOOD, tls=authority.server()) as server:
        assert connect(server, verify=str(authority.bundle)).read({}, 1, 100).count == 1


def test_without_verify_the_environments_bundle_is_used(
    authority: Authority, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with FaultServer(GOOD, tls=authority.server()) as server:
        assert connect(server).read({}, 1, 100).count == 1


def test_a_certificate_for_another_address_says_so(authority: Authority, connect: Connect) -> None:
    tls = authority.server(address="127.0.0.2")
    with (
        FaultServer(GOOD, tls=tls) as server,
        pytest.raises(
            SelaSetupError, match=r"certificate is not valid for .*; check Host: the server behind it"
        ),
    ):
        connect(server, verify=str(authority.bundle)).read({}, 1, 100)
    assert server.requests == []


def test_a_certificate_that_has_ended_says_so(authority: Authority, connect: Connect) -> None:
    tls = authority.server(days=-1)
    with (
        FaultServer(GOOD, tls=tls) as server,
        pytest.raises(SelaSetupError, match=r"certificate has expired\); its owner must renew it"),
    ):
        connect(server, verify=str(authority.bundle)).read({}, 1, 100)


def test_a_ca_bundle_that_is_not_there_is_told_as_a_matter_of_set_up(
    authority: Authority, connect: Connect
) -> None:
    with (
        FaultServer(GOOD, tls=authority.server()) as server,
        pytest.raises(SelaSetupError, match="'verify' cannot be read"),
    ):
        connect(server, verify="/no/such/bundle.pem").read({}, 1, 100)


def test_a_ca_bundle_that_is_no_bundle_is_told_as_a_matter_of_set_up(
    authority: Authority, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "bundle.pem").write_text("no certificate in here")
    with FaultServer(GOOD, tls=authority.server()) as server, pytest.raises(SelaSetupError, match="'verify'"):
        connect(server, verify=str(tmp_path / "bundle.pem")).read({}, 1, 100)


def test_https_at_a_port_that_speaks_http_is_told_as_a_matter_of_set_up(connect: Connect) -> None:
    with (
        FaultServer(GOOD) as server,
        pytest.raises(SelaSetupError, match="check that Host speaks https at this port"),
    ):
        connect(server.url.replace("http://", "https://")).read({}, 1, 100)


def test_a_connection_dropped_during_the_handshake_is_tried_again(
    authority: Authority, connect: Connect, slept: list[float]
) -> None:
    class Dropping(FaultServer):
        """Hangs up on the first handshake."""

        def _serve(self, connection: socket.socket) -> None:
            if self.connections == 1:
                connection.close()
            else:
                super()._serve(connection)

    with Dropping(GOOD, tls=authority.server()) as server:
        assert connect(server, verify=str(authority.bundle)).read({}, 1, 100).count == 1
    assert len(slept) == 1


def test_http_at_a_port_that_speaks_https_is_an_error_of_ours(authority: Authority, connect: Connect) -> None:
    with FaultServer(GOOD, tls=authority.server()) as server, pytest.raises(SelaUnavailableError):
        connect(server.url.replace("https://", "http://"), max_attempts=1).read({}, 1, 100)
