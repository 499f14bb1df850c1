"""What both transports share: what is sent, how much is read, what came, and what one read has cost."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any, TypeVar

from tenacity import RetryCallState

from airflow_provider_sela import __version__, metrics
from airflow_provider_sela.api.checkup import unknown_extra
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.responses import page_in
from airflow_provider_sela.exceptions import (
    SelaError,
    SelaResponseError,
    SelaUnavailableError,
    of_connection,
)
from airflow_provider_sela.http.pacing import Pacer, RetryBudget, retry_after, retry_options
from airflow_provider_sela.http.retry_log import RetryLog
from airflow_provider_sela.settings import Settings

L = TypeVar("L")
log = logging.getLogger(__name__)

#: What is asked for, and the one packing that is unpacked. A proof is about now: no cache is to answer alone.
ACCEPT_ENCODING = "gzip"
ACCEPT = {
    "Accept": "application/json",
    "Accept-Encoding": ACCEPT_ENCODING,
    "Cache-Control": "no-cache",
}
#: Largest answer that is read, unpacked: 10,000 leads, the largest ``page_size`` there is, of 6.5 KB each.
MAX_BODY_BYTES = 64 << 20


@cache
def user_agent(library: str) -> str:
    """``User-Agent`` that lets the vendor's support see which versions are talking."""
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"airflow-provider-sela/{__version__} apache-airflow/{version('apache-airflow')} "
        f"{library}/{version(library)} Python/{python}"
    )


class Body:
    """The bytes of an answer as they arrive, bounded.

    :param headers: of the answer.
    :raises SelaResponseError: it is packed otherwise than asked for. One layer of gzip grows a block a
        thousandfold at most, which the bound catches in time. Two layers, or Brotli or Zstandard, grow it a
        millionfold, and not every version of the libraries unpacks in steps.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        packing = headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip", ""):
            raise SelaResponseError(
                f"the answer is packed otherwise than asked for ({ACCEPT_ENCODING}): check any proxy on the"
                " way"
            )
        length = headers.get("Content-Length", "")
        announced = int(length) if length.isascii() and length.isdigit() and len(length) < 10 else 0
        #: Bytes that can be read at once, 0 if nobody says how many come, they are too many or packed.
        self.length = announced if announced <= MAX_BODY_BYTES and packing != "gzip" else 0
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take unpacked bytes.

        :raises SelaResponseError: the answer is too large.
        """
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > MAX_BODY_BYTES:
            raise SelaResponseError(
                f"the answer is larger than {MAX_BODY_BYTES >> 20} MB: lower extra 'page_size'"
            )

    def __bytes__(self) -> bytes:
        return b"".join(self._chunks)


class CalledOffError(Exception):
    """A request was given up because the read that it belongs to has ended; never leaves the package."""


class Run:
    """One read of many requests: what it has cost, what it may still wait, and whether it was called off.

    :param settings: the connection, whose ``retry_budget`` bounds what all retries together may wait.
    """

    def __init__(self, settings: Settings) -> None:
        self.budget = RetryBudget(settings.retry_budget)
        self._conn_id = settings.conn_id
        self.requests = 0
        self.retries = 0
        self.called_off = threading.Event()
        self._retry_log = RetryLog()
        self._lock = threading.Lock()

    def count(self, *, requests: int = 0, retries: int = 0) -> None:
        """Add to the cost."""
        with self._lock:
            self.requests += requests
            self.retries += retries

    def sent(self) -> None:
        """Count a request that is about to be sent."""
        self.count(requests=1)
        metrics.count("sela.requests", self._conn_id)

    def held_back(self, seconds: float) -> None:
        """Record a wait that a rate limit asked for, the server's or the connection's own."""
        metrics.duration("sela.rate_limit.wait", self._conn_id, seconds)

    def retried(self, page: int, state: RetryCallState, attempts: int, log: logging.Logger) -> None:
        """Count and log a retry that is about to be waited for; parameters as of :meth:`.RetryLog.log`."""
        self.count(retries=1)
        metrics.count("sela.retries", self._conn_id)
        if retry_after(state) is not None:
            self.held_back(state.upcoming_sleep)
        self._retry_log.log(page, state, attempts, log)

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than the read lasts."""
        if self.called_off.wait(seconds):
            raise CalledOffError


_warned: set[tuple[str, str]] = set()


def _warn_of_unknown_extras(settings: Settings) -> None:
    """Warn once in a process: a sensor makes an exchange for each look."""
    for name, meant in settings.unknown_extras.items():
        if (settings.conn_id, name) not in _warned:
            _warned.add((settings.conn_id, name))
            log.warning("Sela: %s", of_connection(settings.conn_id, f"extra {unknown_extra(name, meant)}"))


class Exchange:
    """The rules for all requests of one connection, whichever library sends them.

    :param settings: the connection.
    """

    def __init__(self, settings: Settings) -> None:
        _warn_of_unknown_extras(settings)
        self.settings = settings
        self.pacer = Pacer(settings.requests_per_second)

    def retrying(self, run: Run, page: int, max_attempts: int | None, log: logging.Logger) -> dict[str, Any]:
        """Arguments for tenacity, for one request of a read.

        :param page: number of the page, for the log.
        :param max_attempts: default: the connection's.
        """
        attempts = max_attempts or self.settings.max_attempts
        return retry_options(attempts, run.budget, lambda state: run.retried(page, state, attempts, log))

    def waits(self, run: Run) -> Iterator[float]:
        """Seconds to sleep before a request may be sent; it counts as sent after the last.

        :raises SelaUnavailableError: the server asked for a longer pause than the read may wait.
        """
        self._refuse_long_pause(run)
        for wait in self.pacer.waits():
            run.held_back(wait)
            yield wait
            self._refuse_long_pause(run)
        run.sent()

    def _refuse_long_pause(self, run: Run) -> None:
        left = self.pacer.paused(time.monotonic())
        if left > run.budget.left:
            raise SelaUnavailableError(
                f"the server asked for a pause, which ends in {left:.0f} s; run it again then",
                retry_after=left,
            )

    def page(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        number: int,
        decode: Callable[[bytes, int], Page[L]],
    ) -> Page[L]:
        """The page in an answer, as :func:`~airflow_provider_sela.api.responses.page_in`.

        Where the server asks for a pause, nobody who shares the connection sends before it is over.
        """
        try:
            return page_in(status, headers, body, number, decode)
        except SelaUnavailableError as error:
            if error.retry_after is not None:
                self.pacer.pause(time.monotonic(), error.retry_after)
            raise

    @contextmanager
    def naming_the_connection(self) -> Iterator[None]:
        """Let every error of a request begin with the connection that it is about."""
        try:
            yield
        except SelaError as error:
            error.args = (of_connection(self.settings.conn_id, error),)
            raise
