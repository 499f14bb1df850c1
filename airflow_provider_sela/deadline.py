"""A bound on the time that a whole answer over ``requests`` may take, from its status line to its last byte.

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

from airflow_provider_sela.failures import DRIP_FACTOR


class _Bounded(io.RawIOBase):
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
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock))


@cache
def _bounding(connection: type) -> type:
    # urllib3 has a class for each scheme and for SOCKS proxies; all are http.client's underneath.
    return type(connection.__name__, (connection,), {"response_class": _Response})


class BoundedAdapter(HTTPAdapter):
    """Bounds each answer, those of proxies too, to ``DRIP_FACTOR`` time-outs."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls.response_class is not _Response:
            pool.ConnectionCls = _bounding(pool.ConnectionCls)
        return pool
