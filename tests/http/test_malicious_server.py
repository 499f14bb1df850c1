"""A server that wants the token to go elsewhere gets nothing: no other address is even contacted."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaError
from tests.http.transports import Read
from tests.support.faults import FaultServer, page_body, reply

#: How the address of another server may be written; ``{port}`` is a port at which one really listens.
ADDRESSES = (
    "http://127.0.0.1:{port}/api/leads/?page=2",
    "http://localhost:{port}/api/leads/?page=2",
    "//127.0.0.1:{port}/api/leads/?page=2",
    "http://{host}@127.0.0.1:{port}/api/leads/?page=2",
    "http://user:password@127.0.0.1:{port}/?page=2",
    "http://127.0.0.1.{port}.example/?page=2",
    "http://127。0。0。1:{port}/?page=2",
    "http:\\\\127.0.0.1:{port}\\?page=2",
    "HTTP://127.0.0.1:{port}/?page=2#{host}",
)


def lured(read: Read, status: int, body: bytes, address: str, *headers: str, **extra: Any) -> tuple[int, int]:
    """Read from a server that names another; requests at the one, connections at the other."""
    with FaultServer(reply()) as thief:
        server = FaultServer(reply())
        written = address.format(port=thief.port, host=f"127.0.0.1:{server.port}")
        named = {name: template(name, written) for name in headers}
        server.acts = [reply(status, body.replace(b"LURE", json.dumps(written).encode()), **named)]
        with server:
            with contextlib.suppress(SelaError):
                read(server, max_attempts=1, **extra)
            assert all(request.headers["authorization"] == "Token fault-token" for request in server.requests)
        return len(server.requests), thief.connections


def template(header: str, address: str) -> str:
    """A header that names an address, as RFC 8288, RFC 7838 and browsers spell it."""
    address = address.encode("ascii", "ignore").decode()
    return {
        "Refresh": f"0; url={address}",
        "Link": f"<{address}>; rel=next",
        "Alt_Svc": f'h2="{address}"',
    }.get(header, address)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
def test_no_redirect_is_followed(status: int, address: str, read: Read) -> None:
    assert lured(read, status, b"", address, "Location") == (1, 0)


@pytest.mark.parametrize("address", ADDRESSES)
def test_next_is_not_called(address: str, read: Read) -> None:
    body = page_body([{"id": 1}], count=2).replace(b'"next": null', b'"next": LURE')
    assert lured(read, 200, body, address) == (1, 0)


@pytest.mark.parametrize(
    "header", ["Refresh", "Link", "Alt_Svc", "Content_Location", "Location", "Set_Cookie"]
)
@pytest.mark.parametrize("status", [200, 201, 401, 503])
def test_no_header_leads_anywhere(header: str, status: int, read: Read) -> None:
    assert lured(read, status, page_body([]), ADDRESSES[0], header) == (1, 0)


@pytest.mark.parametrize("scheme", ["Basic realm=x", "Digest realm=x, nonce=y", "Negotiate", "Bearer"])
@pytest.mark.parametrize("status", [401, 407])
def test_no_challenge_makes_it_say_more(scheme: str, status: int, read: Read) -> None:
    with FaultServer(reply(status, b"", WWW_Authenticate=scheme, Proxy_Authenticate=scheme)) as server:
        with pytest.raises(SelaError):
            read(server)
        [request] = server.requests
    assert request.headers["authorization"] == "Token fault-token"
    assert "proxy-authorization" not in request.headers
