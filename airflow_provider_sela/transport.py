"""Requests to the Sela API over ``requests``: one origin, one token, retries, and nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import requests
from tenacity import RetryCallState, Retrying

from airflow_provider_sela import metrics
from airflow_provider_sela.api import LEADS_PATH, Page, decode_page, page_params
from airflow_provider_sela.exceptions import SelaError, SelaResponseError, SelaUnavailableError
from airflow_provider_sela.leads import Lead
from airflow_provider_sela.pacing import Budget, Pacer, retry_options
from airflow_provider_sela.raw import RawLead, raw_page
from airflow_provider_sela.redaction import redact_library_logs
from airflow_provider_sela.session import ACCEPT_ENCODING, SelaSession, with_clear_errors
from airflow_provider_sela.settings import Settings
from airflow_provider_sela.status import date_microseconds, error_for

L = TypeVar("L")
_CHUNK = 1 << 16
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


class Transport:
    """Reads pages for one connection; safe to use from several threads, each with its own session.

    :param settings: the connection.
    :param log: where retries are told.
    """

    def __init__(self, settings: Settings, log: logging.Logger) -> None:
        self.settings = settings
        self.pacer = Pacer(settings.requests_per_second)
        self._log = log
        self._local = threading.local()
        self._sessions: list[SelaSession] = []
        self._lock = threading.Lock()
        redact_library_logs()

    @property
    def session(self) -> SelaSession:
        """The session of the calling thread."""
        session: SelaSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = SelaSession(self.settings)
            with self._lock:
                self._sessions.append(session)
        return session

    def release(self) -> None:
        """Close the calling thread's connections."""
        session: SelaSession | None = getattr(self._local, "session", None)
        if session is not None:
            del self._local.session
            with self._lock:
                if session in self._sessions:
                    self._sessions.remove(session)
            session.close()

    def close(self) -> None:
        """Close the connections of all threads; the transport can be used again."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
            self._local = threading.local()
        for session in sessions:
            session.close()

    def read(
        self,
        filters: Mapping[str, str],
        page: int,
        page_size: int | None,
        *,
        run: Run | None = None,
        max_attempts: int | None = None,
    ) -> Answer[Lead]:
        """Read one page, with retries.

        :param filters: from :func:`~airflow_provider_sela.api.lead_filters`.
        :param run: the read that this page belongs to; default: one of its own.
        :param max_attempts: default: the connection's.
        :raises SelaError: see :mod:`airflow_provider_sela.exceptions`.
        """
        params = page_params(filters, page, page_size)
        return self._read(params, partial(decode_page, page=page), page, run, max_attempts)

    def read_raw(
        self, filters: Mapping[str, str], page: int, page_size: int | None, *, run: Run | None = None
    ) -> Answer[RawLead]:
        """Read one page as :meth:`read` does, and leave its leads in the bytes that they came in."""
        params = page_params(filters, page, page_size)
        return self._read(params, partial(raw_page, page=page), page, run)

    def _read(
        self,
        params: Mapping[str, str],
        decode: Callable[[bytes], Page[L]],
        page: int,
        run: Run | None,
        max_attempts: int | None = None,
    ) -> Answer[L]:
        settings = self.settings
        run = run or Run(settings)

        def before_sleep(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, SelaUnavailableError) and error.retry_after is not None:
                self.pacer.pause(time.monotonic(), error.retry_after)
            run.retried(page, state, self._log)

        retrying = Retrying(
            **retry_options(max_attempts or settings.max_attempts, run.budget, before_sleep), sleep=run.sleep
        )
        try:
            return retrying(self._attempt, params, decode, page, run)
        except SelaError as error:
            error.args = (f"connection {settings.conn_id!r}: {error}",)
            raise

    def _attempt(
        self, params: Mapping[str, str], decode: Callable[[bytes], Page[L]], page: int, run: Run
    ) -> Answer[L]:
        pause = self.pacer.reserve(time.monotonic())
        while pause > 0:
            run.held_back(pause)
            run.sleep(pause)
            # Where the server asked for a pause meanwhile, queue again: not all may start when it ends.
            now = time.monotonic()
            pause = self.pacer.reserve(now) if self.pacer.paused(now) else 0.0
        run.sent()
        response, body = with_clear_errors(self.settings, lambda: self._get(params))
        error = error_for(response.status_code, response.headers, body, page=page)
        if error is not None:
            raise error
        return Answer(decode(body), date_microseconds(response.headers.get("Date")))

    def _get(self, params: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        response = self.session.get(self.settings.base_url + LEADS_PATH, params=params, stream=True)
        try:
            return response, _body(response)
        finally:
            response.close()


def _body(response: requests.Response) -> bytes:
    check_encoding(response.headers)
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise SelaResponseError(
                f"the answer is larger than {MAX_BODY_BYTES >> 20} MB: lower extra 'page_size'"
            )
    return bytes(body)
