"""What the Test button says of each thing that can be wrong: told apart, with its cure, as in the docs."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.docs.pages import table
from tests.support import faults
from tests.support.faults import Act, FaultServer, page_body, reply
from tests.support.proxy import Proxy
from tests.support.squid import Squid
from tests.support.tls import Authority
from tests.triggers.waits import connect

HTML = b"<!doctype html><title>Log in</title>"
GOOD = reply(200, page_body([{"id": 1}]))
SECRETS = ("planted-token", "planted-proxy-password")


class Surroundings:
    """Servers, proxies and addresses that are there as long as the test lasts."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack, self.authority = folder, stack, Authority(folder)

    def serve(self, act: Act = GOOD, **options: Any) -> str:
        return self._stack.enter_context(FaultServer(act, **options)).url

    def proxy(self, credentials: str | None = None) -> str:
        return self._stack.enter_context(Proxy(credentials)).url

    def squid(self, rules: str) -> str:
        return self._stack.enter_context(Squid(rules)).url

    def nobody(self) -> str:
        """Where nobody listens."""
        return f"http://{self._stack.enter_context(faults.nobody())}"

    def full(self) -> str:
        """Where nobody accepts, and the queue of those who want to connect is full."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = self._stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Surroundings]:
    with ExitStack() as stack:
        yield Surroundings(tmp_path, stack)


Broken = Callable[[Surroundings], str | tuple[str, dict[str, Any]]]


def trusted(around: Surroundings, **options: Any) -> tuple[str, dict[str, Any]]:
    """A server whose authority the connection trusts."""
    return around.serve(tls=around.authority.server(**options)), {"verify": str(around.authority.bundle)}


def answering(status: int, body: bytes, **headers: str) -> Broken:
    return lambda around: around.serve(reply(status, body, **headers))


#: What is wrong, and two parts of the message: what happened, and the field or person that mends it.
CASES: dict[str, tuple[Broken, str, str]] = {
    "token": (
        answering(401, b'{"detail":"Invalid token."}'),
        "HTTP 401 (Invalid token): the token is wrong or revoked",
        "into Password",
    ),
    "permission": (answering(403, b"{}"), "HTTP 403: ask Sela to let this token read leads", "ask Sela"),
    "firewall": (
        answering(403, HTML),
        "HTTP 403, and not in the API's words: something on the way refused",
        "ask who runs the network",
    ),
    "captive portal": (
        answering(511, HTML),
        "HTTP 511: the network of this machine wants a log-in",
        "ask who runs it",
    ),
    "other site": (
        answering(404, HTML),
        "HTTP 404: there is no /api/leads/ at this Host",
        "set Host to https://api.trysela.com",
    ),
    "log-in page": (
        answering(302, b"", Location="https://sso.example.com/"),
        "the server redirects to",
        "set Host to it",
    ),
    "HTML": (answering(200, HTML), "the answer is a web page, not JSON", "check that Host"),
    "empty answer": (answering(200, b""), "the answer is empty", "check Host"),
    "other API": (
        answering(200, b'{"leads": []}'),
        "the answer is JSON but no page",
        "count and results were expected",
    ),
    "DNS": (lambda around: "https://nothing.invalid", "cannot be resolved", "check Host and DNS"),
    "nobody listens": (lambda around: around.nobody(), "failed or was dropped", "check Host and port"),
    "no connection": (
        lambda around: (around.full(), {"timeout": 0.3}),
        "no connection to",
        "check Host, port and firewall",
    ),
    "silence": (
        lambda around: (around.serve(faults.silent), {"timeout": 0.3}),
        "did not answer within",
        "raise extra 'timeout'",
    ),
    "unknown authority": (
        lambda around: around.serve(tls=around.authority.server()),
        "is not trusted (unable to get local issuer",
        "set extra 'verify'",
    ),
    "expired": (
        lambda around: trusted(around, days=-1),
        "is not trusted (certificate has expired)",
        "its owner must renew it",
    ),
    "other name": (
        lambda around: trusted(around, address="127.0.0.9"),
        "is not trusted",
        "check Host: the server behind it, or a proxy on the way, is another one",
    ),
    "not TLS": (
        lambda around: around.serve().replace("http:", "https:"),
        "no TLS with",
        "check that Host speaks https",
    ),
    "client certificate": (
        lambda around: trusted(around, clients=around.authority),
        "wants a client certificate and does not accept what it got",
        "'client_cert'",
    ),
    "no bundle": (
        lambda around: (around.serve(tls=around.authority.server()), {"verify": "/no/such.pem"}),
        "the CA bundle of extra 'verify' cannot be read",
        "'verify'",
    ),
    "proxy down": (
        lambda around: (around.serve(), {"proxy": around.nobody()}),
        "the proxy cannot be reached or refuses",
        "check extra 'proxy'",
    ),
    "proxy refuses": (
        lambda around: (
            around.serve().replace("http:", "https:"),
            {"proxy": around.squid("http_access deny all")},
        ),
        "the proxy lets nothing through to",
        "ask who runs it",
    ),
    "proxy credentials": (
        lambda around: (
            around.serve(),
            {"proxy": around.proxy("user:right").replace("//", "//user:planted-proxy-password@")},
        ),
        "the proxy wants credentials",
        "proxy",
    ),
    "rate limit": (
        answering(429, b"{}"),
        "HTTP 429: too many requests for this token",
        "'requests_per_second'",
    ),
    "outage": (answering(503, HTML), "HTTP 503: the server cannot answer for now", "run it again later"),
}


ROWS = table(REPOSITORY / "docs" / "connection.md", "message", "means", "cure")


def fragments(cell: str) -> list[str]:
    """What stands in backticks, without the length of the time-out, which is short here."""
    return [part.removesuffix(" 30 s") for part in re.findall(r"`([^`]+)`", cell)]


@pytest.fixture
def said(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[bool, str]]:
    """What the hook says of a case."""

    def test(case: str) -> tuple[bool, str]:
        made = CASES[case][0](around)
        host, extra = made if isinstance(made, tuple) else (made, {})
        connection = {
            "conn_type": "sela",
            "host": host,
            "password": SECRETS[0],
            "extra": {"timeout": 10} | extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        return SelaHook().test_connection()

    return test


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_with_its_cure_and_without_a_secret(
    case: str, said: Callable[[str], tuple[bool, str]]
) -> None:
    works, message = said(case)
    assert not works
    # The button tests a copy of the connection that has a random name.
    assert not message.startswith("connection")
    for words in CASES[case][1:]:
        assert words in message
    assert not [secret for secret in SECRETS if secret in message]
    on_the_page = [row for row in ROWS if all(part in message for part in fragments(row["message"]))]
    assert len(on_the_page) == 1


def test_every_message_on_the_page_is_one_that_is_said() -> None:
    for row in ROWS:
        parts = fragments(row["message"])
        assert any(part in words for part in parts for _, words, _ in CASES.values()), row
        assert "" not in row.values()


def test_one_request_for_one_lead_is_sent_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with SelaApi(leads=250) as api:
        connect(monkeypatch, api)
        works, message = SelaHook().test_connection()
        assert (works, message.endswith("this token sees 250 leads")) == (True, True)
        assert [request.query for request in api.requests] == [{"page": "1", "page_size": "1"}]
        assert api.token not in message
