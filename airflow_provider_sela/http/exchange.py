"""What both transports share: what is asked for, how much is read, and what one read has cost."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Generic, TypeVar

from tenacity import RetryCallState

from airflow_provider_sela import __version__, metrics
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.exceptions import SelaResponseError, SelaUnavailableError
from airflow_provider_sela.http.pacing import Budget
from airflow_provider_sela.settings import Settings

L = TypeVar("L")

#: What is asked for, and the one packing that is unpacked.
ACCEPT_ENCODING = "gzip"


ACCEPT = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING}


def user_agent(library: str) -> str:
    """``User-Agent`` that lets the vendor's support see which versions are talking."""
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"airflow-provider-sela/{__version__} apache-airflow/{version('apache-airflow')} "
        f"{library}/{version(library)} Python/{python}"
    )


#: Largest answer that is read, unpacked: 10,000 leads, the largest ``page_size`` there is, of 6.5 KB each.
MAX_BODY_BYTES = 64 << 20


def check_encoding(headers: Mapping[str, str]) -> None:
    """Refuse an answer that is packed otherwise than asked for, before a byte of it is unpacked.

    One layer of gzip grows a block a thousandfold at most, which the bound on the body catches in time. Two
    layers, or Brotli or Zstandard, grow it a millionfold, and not every version of the libraries unpacks
    in steps.

    :raises SelaResponseError: neither plain nor gzip.
    """
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", "gzip", ""):
        raise SelaResponseError(
            f"the answer is packed otherwise than asked for ({ACCEPT_ENCODING}): check any proxy on the way"
        )


class CalledOffError(Exception):
    """A request was given up because the read that it belongs to has ended; never leaves the package."""


class Run:
    """One read of many requests: what it has cost, what it may still wait, and whether it was called off.

    :param settings: the connection, whose ``retry_budget`` bounds what all retries together may wait.
    """

    def __init__(self, settings: Settings) -> None:
        self.budget = Budget(settings.retry_budget)
        self._conn_id = settings.conn_id
        self.requests = 0
        self.retries = 0
        self.waited = 0.0
        self.called_off = threading.Event()
        self._lock = threading.Lock()

    def count(self, *, requests: int = 0, retries: int = 0, waited: float = 0.0) -> None:
        """Add to the cost."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.waited += waited

    def sent(self) -> None:
        """Count a request that is about to be sent."""
        self.count(requests=1)
        metrics.count("sela.requests", self._conn_id)

    def held_back(self, seconds: float) -> None:
        """Tell of a wait that a rate limit asked for, the server's or the connection's own."""
        metrics.duration("sela.rate_limit.wait", self._conn_id, seconds)

    def retried(self, page: int, state: RetryCallState, log: logging.Logger) -> None:
        """Count and tell a retry that is about to be waited for."""
        error = state.outcome.exception() if state.outcome else None
        self.count(retries=1, waited=state.upcoming_sleep)
        metrics.count("sela.retries", self._conn_id)
        if isinstance(error, SelaUnavailableError) and error.retry_after is not None:
            self.held_back(state.upcoming_sleep)
        log.warning(
            "Sela page %d: %s; attempt %d in %.1f s",
            page,
            error,
            state.attempt_number + 1,
            state.upcoming_sleep,
        )

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than the read lasts."""
        if self.called_off.wait(seconds):
            raise CalledOffError


@dataclass(frozen=True)
class Answer(Generic[L]):
    """A page and the server's clock when it answered (the ``Date`` header), in microseconds."""

    page: Page[L]
    date: int | None
