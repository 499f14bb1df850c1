"""The adapter of ``requests``: a deadline for whole answers, and the connection's own TLS contexts.

The deadline bounds the time from the status line of an answer to its last byte.

The time-out of a socket counts anew with every byte, and ``http.client`` reads a status line, headers and the
lengths of chunks byte by byte if that is how they come.
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import get_auth_from_url

from airflow_provider_sela.http.failures import DRIP_FACTOR

# 100 is skipped anyway, and after 101 no HTTP follows.
_INFORMATIONAL = range(102, 200)

MakeContext = Callable[[], ssl.SSLContext]


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until a moment, then only raises ``TimeoutError``."""

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self._timeout: float | None = sock.gettimeout()
        self._deadline = None if self._timeout is None else time.monotonic() + DRIP_FACTOR * self._timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._timeout is not None and self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer takes too long")
            if left < self._timeout:
                self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))

    def _read_status(self) -> tuple[str, int, str]:
        # http.client takes 103 Early Hints, and any informational answer but 100, for the final one.
        found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
        while found[1] in _INFORMATIONAL:
            http.client.parse_headers(self.fp)
            found = super()._read_status()  # type: ignore[misc]
        return found


@cache
def _with_deadline(connection: type) -> type:
    # urllib3 has a class for each scheme and for SOCKS proxies; all are http.client's underneath.
    return type(connection.__name__, (connection,), {"response_class": _Response})


class SelaAdapter(HTTPAdapter):
    """Bounds each answer, a proxy's too, to ``DRIP_FACTOR`` time-outs, and trusts as the connection says.

    Who passes ``verify`` or ``cert`` to a request gets what ``requests`` makes of them.

    :param context: makes the TLS context for servers.
    :param proxy_context: makes the one for proxies that speak https.
    """

    def __init__(self, context: MakeContext, proxy_context: MakeContext, **kwargs: Any) -> None:
        self._context = context
        self._proxy_context = proxy_context
        super().__init__(**kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls.response_class is not _Response:
            pool.ConnectionCls = _with_deadline(pool.ConnectionCls)
        return pool

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        place, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if _is_default(verify, cert):
            # Some versions put in one of their own, also where http goes to a proxy that speaks https.
            pool.pop("ssl_context", None)
            pool |= {"ssl_context": self._context()} if place["scheme"] == "https" else {}
        return place, pool

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy.startswith("https:"):
            # The first is for tunnels through it, the other for requests that it forwards.
            kwargs |= {"proxy_ssl_context": self._proxy_context(), "ssl_context": self._proxy_context()}
        return super().proxy_manager_for(proxy, **kwargs)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        # The inherited one writes Latin-1, httpx UTF-8.
        user, password = get_auth_from_url(proxy)
        if not user and not password:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        if _is_default(verify, cert):
            # The inherited one adds the usual authorities to those of the context, and asks no https proxy
            # that forwards http for its certificate.
            conn.cert_reqs = "CERT_REQUIRED"
        else:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]


def _is_default(verify: Any, cert: Any) -> bool:
    return verify is True and cert is None
