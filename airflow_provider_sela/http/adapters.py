"""Adapters of ``requests``: a deadline for whole answers, and the client certificate.

The deadline bounds the time from the status line of an answer to its last byte.

The time-out of a socket counts anew with every byte, and ``http.client`` reads a status line, headers and the
lengths of chunks byte by byte if that is how they come.
"""

from __future__ import annotations

import http.client
import io
import time
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import create_urllib3_context

from airflow_provider_sela.http.failures import DRIP_FACTOR
from airflow_provider_sela.http.tls import load_client_certificate
from airflow_provider_sela.settings import Settings


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


@cache
def _with_deadline(connection: type) -> type:
    # urllib3 has a class for each scheme and for SOCKS proxies; all are http.client's underneath.
    return type(connection.__name__, (connection,), {"response_class": _Response})


class DeadlineAdapter(HTTPAdapter):
    """Bounds each answer, those of proxies too, to ``DRIP_FACTOR`` time-outs."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls.response_class is not _Response:
            pool.ConnectionCls = _with_deadline(pool.ConnectionCls)
        return pool


class ClientCertificateAdapter(DeadlineAdapter):
    """Shows the client certificate to a server that asks for it.

    It has a context of its own: some versions of ``requests`` load a session's certificate into a context
    that they share with every other session of the process.

    :param settings: a connection with ``client_cert``.
    :raises SelaSetupError: certificate or key cannot be used.
    """

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        self._context = create_urllib3_context()
        load_client_certificate(self._context, settings)
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # Some versions load no authorities for True: they count on a context that has them.
        super().cert_verify(conn, url, DEFAULT_CA_BUNDLE_PATH if verify is True else verify, cert)  # type: ignore[no-untyped-call]
