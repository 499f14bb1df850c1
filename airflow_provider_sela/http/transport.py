"""Requests to the Sela API over ``requests``: one origin, one token, retries, and nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import requests
from tenacity import Retrying

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page, decode_page
from airflow_provider_sela.api.raw import RawLead, raw_page
from airflow_provider_sela.api.request import LEADS_PATH, page_params
from airflow_provider_sela.http.exchange import Body, Exchange, Run
from airflow_provider_sela.http.log_filters import filter_library_logs
from airflow_provider_sela.http.session import SelaSession, with_clear_errors
from airflow_provider_sela.http.tls import Trust
from airflow_provider_sela.settings import Settings

L = TypeVar("L")
# Bytes that are unpacked at a time.
_CHUNK = 1 << 16


class Transport:
    """Reads pages for one connection; safe to use from several threads, each with its own session.

    :param settings: the connection.
    :param log: where retries are logged.
    """

    def __init__(self, settings: Settings, log: logging.Logger) -> None:
        self.settings = settings
        self.exchange = Exchange(settings)
        self._log = log
        self._trust = Trust(settings)
        self._local = threading.local()
        self._sessions: list[SelaSession] = []
        self._lock = threading.Lock()
        filter_library_logs()

    @property
    def session(self) -> SelaSession:
        """The session of the calling thread."""
        session: SelaSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = SelaSession(self.settings, self._trust)
            with self._lock:
                self._sessions.append(session)
        return session

    def prepare(self) -> None:
        """Make the calling thread's session before there is a request for it."""
        _ = self.session

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
            # Who begins again finds authorities that were exchanged meanwhile.
            self._trust = Trust(self.settings)
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
    ) -> Page[Lead]:
        """Read one page, with retries.

        :param filters: from :func:`~airflow_provider_sela.api.request.lead_filters`.
        :param run: the read that this page belongs to; default: one of its own.
        :param max_attempts: default: the connection's.
        :raises SelaError: see :mod:`airflow_provider_sela.exceptions`.
        """
        return self._read(page_params(filters, page, page_size), page, decode_page, run, max_attempts)

    def read_raw(
        self, filters: Mapping[str, str], page: int, page_size: int | None, *, run: Run | None = None
    ) -> Page[RawLead]:
        """Read one page as :meth:`read` does, and leave its leads in the bytes that they came in."""
        return self._read(page_params(filters, page, page_size), page, raw_page, run)

    def _read(
        self,
        params: Mapping[str, str],
        page: int,
        decode: Callable[[bytes, int], Page[L]],
        run: Run | None,
        max_attempts: int | None = None,
    ) -> Page[L]:
        run = run or Run(self.settings)
        retrying = Retrying(**self.exchange.retrying(run, page, max_attempts, self._log), sleep=run.sleep)
        with self.exchange.naming_the_connection():
            return retrying(self._attempt, params, page, decode, run)

    def _attempt(
        self, params: Mapping[str, str], page: int, decode: Callable[[bytes, int], Page[L]], run: Run
    ) -> Page[L]:
        for wait in self.exchange.waits(run):
            run.sleep(wait)
        response, body = with_clear_errors(self.settings, lambda: self._get(params))
        return self.exchange.page(response.status_code, response.headers, body, page, decode)

    def _get(self, params: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        response = self.session.get_streamed(self.settings.base_url + LEADS_PATH, params)
        try:
            body = Body(response.headers)
            if body.length:
                body.add(response.raw.read(body.length, decode_content=True))
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body.add(chunk)
            return response, bytes(body)
        finally:
            response.close()
