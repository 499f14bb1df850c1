"""A server that wants to know who calls gets the connection's client certificate, by either transport."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaError, SelaSetupError
from airflow_provider_sela.settings import Settings
from tests.http.transports import Read
from tests.support.connections import Connect, Fields
from tests.support.faults import FaultServer, page_body, reply
from tests.support.proxy import Proxy
from tests.support.tls import Authority

GOOD = reply(200, page_body([{"id": 1}]))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def stranger(tmp_path: Path) -> Authority:
    """An authority that the server does not know."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    return Authority(folder)


def extras(authority: Authority, certificate: Path, key: Path | None) -> dict[str, Any]:
    given = {"verify": str(authority.bundle), "client_cert": str(certificate)}
    return given if key is None else given | {"client_key": str(key)}


def test_the_client_certificate_opens_the_door(authority: Authority, read: Read) -> None:
    with FaultServer(GOOD, tls=authority.server(clients=authority)) as server:
        assert read(server, **extras(authority, *authority.issue("client"))).count == 1
    assert server.requests[0].headers["authorization"] == "Token fault-token"


def test_certificate_and_key_may_be_in_one_file(authority: Authority, read: Read) -> None:
    certificate, key = authority.issue("client")
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    with FaultServer(GOOD, tls=authority.server(clients=authority)) as server:
        assert read(server, **extras(authority, certificate, None)).count == 1


def test_it_goes_through_a_proxy_too(authority: Authority, read: Read) -> None:
    with Proxy() as proxy, FaultServer(GOOD, tls=authority.server(clients=authority)) as server:
        given = extras(authority, *authority.issue("client")) | {"proxy": proxy.url}
        assert read(server, **given).count == 1
    assert [request.method for request in proxy.requests] == ["CONNECT"]


def test_it_does_not_make_an_untrusted_server_trusted(
    authority: Authority, read: Read, tmp_path: Path
) -> None:
    tls = stranger(tmp_path).server(clients=authority)
    with FaultServer(GOOD, tls=tls) as server, pytest.raises(SelaSetupError, match="is not trusted"):
        read(server, **extras(authority, *authority.issue("client")))
    assert server.requests == []


def test_without_verify_the_usual_authorities_are_asked(authority: Authority, read: Read) -> None:
    """The certificate has a TLS context of its own, which must not be one without authorities."""
    certificate, key = authority.issue("client")
    with (
        FaultServer(GOOD, tls=authority.server(clients=authority)) as server,
        pytest.raises(SelaSetupError, match="is not trusted"),
    ):
        read(server, client_cert=str(certificate), client_key=str(key))


@pytest.mark.parametrize("shown", ["none", "a stranger's", "an expired one"])
def test_a_certificate_that_the_server_does_not_accept_is_a_matter_of_set_up(
    shown: str, authority: Authority, read: Read, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"verify": str(authority.bundle)}
    if shown == "a stranger's":
        given |= extras(authority, *stranger(tmp_path).issue("client"))
    elif shown == "an expired one":
        given |= extras(authority, *authority.issue("client", days=-1))
    with (
        FaultServer(GOOD, tls=authority.server(clients=authority)) as server,
        pytest.raises(SelaSetupError, match="check extras 'client_cert' and 'client_key'"),
    ):
        read(server, **given)
    assert server.requests == []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no file", r"a file cannot be read \(ENOENT\)"),
        ("no PEM", "holds no certificate or no key in PEM form"),
        ("no key", "holds no certificate or no key in PEM form"),
        ("another's key", "the key does not belong to the certificate"),
        ("encrypted", "'client_key': the key is encrypted"),
    ],
)
def test_files_that_cannot_be_used_are_told_before_anything_is_sent(
    case: str, words: str, authority: Authority, read: Read, tmp_path: Path
) -> None:
    certificate, key = authority.issue("client", password=b"secret" if case == "encrypted" else None)
    if case == "no PEM":
        certificate.write_text("nothing of the kind")
    elif case == "another's key":
        key = authority.issue("another")[1]
    given: dict[str, Any] = {
        "no file": {"client_cert": str(tmp_path / "none.pem")},
        "no key": {"client_cert": str(certificate)},
    }.get(case, {"client_cert": str(certificate), "client_key": str(key)})
    with FaultServer(GOOD, tls=authority.server()) as server, pytest.raises(SelaError, match=words) as caught:
        read(server, **given)
    assert server.connections == 0
    assert not caught.value.retryable
    assert "secret" not in repr(caught.value)


def test_only_the_connections_own_origin_gets_to_see_it(authority: Authority, connect: Connect) -> None:
    """A request of the user's to another server, with the same session, shows it nothing."""
    import requests

    given = extras(authority, *authority.issue("client"))
    with (
        FaultServer(GOOD, tls=authority.server(clients=authority)) as server,
        FaultServer(GOOD, tls=authority.server(clients=authority)) as other,
    ):
        session = connect(server, **given).session
        assert session.get(f"{server.url}/").status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.get(f"{other.url}/")
    assert other.requests == []


def test_a_session_without_one_is_not_lent_that_of_another(authority: Authority, connect: Connect) -> None:
    with FaultServer(GOOD, tls=authority.server(clients=authority)) as server:
        assert connect(server, **extras(authority, *authority.issue("client"))).read({}, 1, 100)
        with pytest.raises(SelaError):
            connect(server, verify=str(authority.bundle), max_attempts=1).read({}, 1, 100)


@pytest.mark.parametrize("value", [5, True, ["a"], {}])
@pytest.mark.parametrize("name", ["client_cert", "client_key"])
def test_a_value_that_is_no_path_is_refused_with_its_name(name: str, value: Any) -> None:
    with pytest.raises(SelaSetupError, match=f"extra '{name}'"):
        Settings.from_connection(Fields(password="t", extra=json.dumps({name: value})))


def test_a_key_without_a_certificate_is_refused() -> None:
    with pytest.raises(SelaSetupError, match="without its certificate in extra 'client_cert'"):
        Settings.from_connection(Fields(password="t", extra='{"client_key": "/k.pem"}'))
