"""Requests to the Sela API over ``requests``: one origin, one token, retries, and nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import requests
from tenacity import RetryCallState, Retrying

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page, decode_page
from airflow_provider_sela.api.raw import RawLead, raw_page
from airflow_provider_sela.api.request import LEADS_PATH, page_params
from airflow_provider_sela.api.responses import date_microseconds, error_for
from airflow_provider_sela.exceptions import SelaError, SelaResponseError, SelaUnavailableError
from airflow_provider_sela.http.exchange import MAX_BODY_BYTES, Answer, Run, check_encoding
from airflow_provider_sela.http.log_filters import redact_library_logs
from airflow_provider_sela.http.pacing import Pacer, retry_options
from airflow_provider_sela.http.session import SelaSession, with_clear_errors
from airflow_provider_sela.settings import Settings

L = TypeVar("L")
_CHUNK = 1 << 16


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

        :param filters: from :func:`~airflow_provider_sela.api.request.lead_filters`.
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
