"""Both transports say the same of the same failure: one on threads, the other on an event loop."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_sela.exceptions import (
    SelaError,
    SelaRateLimitError,
    SelaResponseError,
    SelaSetupError,
    SelaUnavailableError,
)
from airflow_provider_sela.hooks.sela import SelaHook
from tests.support import faults
from tests.support.connections import hook_to
from tests.support.faults import FaultServer, page_body, reply
from tests.support.proxy import Proxy
from tests.support.tls import Authority

__all__ = ["hook_to"]

GOOD = reply(200, page_body([{"id": 1}]))
TWO_LENGTHS = faults.http(200, page_body([]), {"content-length": "5"})
HookTo = Callable[..., SelaHook]


def of_thread(hook: SelaHook) -> SelaError:
    with pytest.raises(SelaError) as caught:
        hook.count_leads()
    return caught.value


async def of_loop(hook: SelaHook) -> SelaError:
    with pytest.raises(SelaError) as caught:
        await hook.acount_leads()
    return caught.value


async def told(hook: SelaHook, kind: type[SelaError], words: str) -> list[SelaError]:
    """Both transports raise this, in the same words and without a context that holds the request."""
    errors = [of_thread(hook), await of_loop(hook)]
    assert [type(error) for error in errors] == [kind, kind]
    assert len({str(error) for error in errors}) == 1
    assert words in str(errors[0])
    assert [(error.__cause__, error.__context__) for error in errors] == [(None, None)] * 2
    return errors


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def old_tls(authority: Authority) -> ssl.SSLContext:
    context = authority.server()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    # No client of today takes these.
    context.set_ciphers("AES128-SHA@SECLEVEL=0:AES256-SHA@SECLEVEL=0")
    return context


def mutual_tls(authority: Authority) -> ssl.SSLContext:
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(str(authority.bundle))
    return context


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (lambda authority: authority.server(address="127.0.0.2"), "certificate is not valid for '127.0.0.1'"),
        (lambda authority: authority.server(days=-1), "not trusted (certificate has expired)"),
        (old_tls, "HANDSHAKE_FAILURE): check that Host speaks https at this port"),
        (mutual_tls, "HANDSHAKE_FAILURE): check that Host speaks https at this port"),
    ],
    ids=["another address", "expired", "no common cipher", "a client certificate is wanted"],
)
async def test_tls_that_is_refused_is_a_matter_of_set_up(
    authority: Authority, hook_to: HookTo, context: Callable[[Authority], ssl.SSLContext], words: str
) -> None:
    with FaultServer(GOOD, tls=context(authority)) as server:
        await told(hook_to(server, verify=str(authority.bundle)), SelaSetupError, words)
        assert server.requests == []


async def test_an_unknown_authority_is_a_matter_of_set_up(authority: Authority, hook_to: HookTo) -> None:
    with FaultServer(GOOD, tls=authority.server()) as server:
        await told(hook_to(server), SelaSetupError, "not trusted (unable to get local issuer certificate)")


async def test_https_at_a_port_that_speaks_http_is_a_matter_of_set_up(hook_to: HookTo) -> None:
    with FaultServer(GOOD) as server:
        server.url = server.url.replace("http:", "https:")
        await told(hook_to(server), SelaSetupError, "check that Host speaks https at this port")


BETWEEN = "and not in the API's words: something on the way refused"
HTML = b"<html><head><title>Blocked</title></head><body>ada@example.com</body></html>"


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (reply(401, HTML), SelaSetupError, f"HTTP 401, {BETWEEN}"),
        (reply(403, HTML), SelaSetupError, f"HTTP 403, {BETWEEN}"),
        (reply(403, b"error code: 1020"), SelaSetupError, f"HTTP 403, {BETWEEN}"),
        (reply(406, HTML), SelaSetupError, f"HTTP 406, {BETWEEN}"),
        (reply(407, HTML), SelaSetupError, "HTTP 407: the proxy wants credentials"),
        (reply(451, HTML), SelaSetupError, "HTTP 451: refused for legal reasons"),
        (reply(511, HTML), SelaSetupError, "HTTP 511: the network of this machine wants a log-in"),
        (reply(302, HTML, Location="http://portal.example/x"), SelaSetupError, "to http://portal.example:80"),
        (reply(200, HTML), SelaResponseError, "the answer is a web page, not JSON: check that Host is"),
        (reply(521, HTML, Retry_After="120"), SelaUnavailableError, "HTTP 521: the server cannot answer"),
        (reply(529, HTML, Retry_After="120"), SelaUnavailableError, "HTTP 529: the server cannot answer"),
        (reply(429, HTML, Retry_After="120"), SelaRateLimitError, "HTTP 429: too many requests"),
    ],
    ids=lambda value: value[:8] if isinstance(value, str) else "",
)
async def test_what_stands_between_is_not_taken_for_sela(
    act: faults.Act, kind: type[SelaError], words: str, hook_to: HookTo
) -> None:
    with FaultServer(act) as server:
        hook = hook_to(server, max_attempts=1)
        errors = await told(hook, kind, words)
    assert all("ada" not in str(error) for error in errors)
    if kind.retryable and kind is not SelaResponseError:
        assert [error.retry_after for error in errors] == [120, 120]


async def test_a_name_that_nobody_knows_is_told(hook_to: HookTo) -> None:
    with FaultServer(GOOD) as server:
        server.url = "https://nothing.invalid"
        words = "the name of https://nothing.invalid:443 cannot be resolved; check Host and DNS"
        await told(hook_to(server, max_attempts=1), SelaUnavailableError, words)


async def test_a_connection_that_ends_in_the_handshake_is_of_the_moment(hook_to: HookTo) -> None:
    with listening(lambda client: client.recv(65536)) as url, FaultServer(GOOD) as server:
        server.url = url.replace("http:", "https:")
        await told(hook_to(server, max_attempts=1), SelaUnavailableError, "failed or was dropped")


async def test_a_record_that_breaks_in_the_body_is_of_the_moment(
    authority: Authority, hook_to: HookTo
) -> None:
    """The handshake went well, so nothing is wrong with the set-up."""
    with FaultServer(faults.broken_record, tls=authority.server()) as server:
        hook = hook_to(server, verify=str(authority.bundle), max_attempts=1)
        await told(hook, SelaUnavailableError, "was cut off")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (faults.hang_up, "failed or was dropped"),
        (faults.reset, "failed or was dropped"),
        (lambda wire, request: wire.send(b"SSH-2.0-OpenSSH\r\n"), "failed or was dropped"),
        (lambda wire, request: wire.send(TWO_LENGTHS), "failed or was dropped"),
        (faults.truncated, "was cut off"),
        (faults.truncated_chunked, "was cut off"),
        (faults.reset_in_body, "was cut off"),
        (faults.not_gzip, "was cut off"),
        (faults.silent, "did not answer within 0.3 s"),
        (faults.silent_in_body, "did not answer within 0.3 s"),
    ],
)
async def test_what_a_server_breaks_is_told_alike(act: faults.Act, words: str, hook_to: HookTo) -> None:
    with FaultServer(act) as server:
        await told(hook_to(server, timeout=0.3, max_attempts=1), SelaUnavailableError, words)


@pytest.mark.parametrize("drip", [faults.drip_headers, faults.drip])
async def test_a_server_that_drips_headers_or_body_is_left_after_ten_time_outs(
    drip: Callable[[float], faults.Act], hook_to: HookTo
) -> None:
    """Each byte comes within the time-out, the whole answer never."""
    started = time.monotonic()
    with FaultServer(drip(0.04)) as server:
        hook = hook_to(server, timeout=0.2, max_attempts=1)
        await told(hook, SelaUnavailableError, "did not answer within 0.2 s; raise extra 'timeout'")
    # Two transports, two seconds each; a busy machine may take longer, but not for ever.
    assert 3.8 < time.monotonic() - started < 20


async def test_a_proxy_that_drips_is_left_as_well(hook_to: HookTo) -> None:
    """Before a tunnel stands, the proxy's answer is read, and by other code than a server's."""

    def drip(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            client.sendall(b"x")
            time.sleep(0.03)

    started = time.monotonic()
    with listening(drip) as proxy, FaultServer(GOOD) as server:
        server.url = server.url.replace("http:", "https:")
        hook = hook_to(server, timeout=0.1, max_attempts=1, proxy=proxy)
        assert isinstance(of_thread(hook), SelaUnavailableError)
        assert isinstance(await of_loop(hook), SelaUnavailableError)
    assert time.monotonic() - started < 6


async def test_a_proxy_that_wants_credentials_is_a_matter_of_set_up(hook_to: HookTo) -> None:
    with Proxy(credentials="user:pass") as proxy, FaultServer(GOOD) as server:
        server.url = server.url.replace("http:", "https:")
        await told(hook_to(server, proxy=proxy.url), SelaSetupError, "the proxy wants credentials")


@contextmanager
def listening(act: Callable[[socket.socket], object]) -> Iterator[str]:
    """A port where each connection is treated so, then closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client, suppress(OSError):
                act(client)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
