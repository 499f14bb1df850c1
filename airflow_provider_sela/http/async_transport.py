"""Requests to the Sela API over ``httpx``, the asynchronous twin of :mod:`.transport`.

Import it inside the function that needs it: httpx costs time that DAG parsing should not pay.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import httpx
from tenacity import AsyncRetrying, RetryCallState

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import decode_page
from airflow_provider_sela.api.request import LEADS_PATH, origin, page_params
from airflow_provider_sela.api.responses import date_microseconds, error_for
from airflow_provider_sela.exceptions import (
    SelaError,
    SelaResponseError,
    SelaSetupError,
    SelaUnavailableError,
)
from airflow_provider_sela.http.exchange import (
    ACCEPT,
    MAX_BODY_BYTES,
    Answer,
    Run,
    check_encoding,
    user_agent,
)
from airflow_provider_sela.http.failures import DRIP_FACTOR, Symptom, failure, unreadable_bundle
from airflow_provider_sela.http.log_filters import redact_library_logs
from airflow_provider_sela.http.pacing import Pacer, retry_options
from airflow_provider_sela.http.tls import load_client_certificate
from airflow_provider_sela.settings import Settings


class TokenAuth(httpx.Auth):
    """Adds the token to requests to one origin; being set, it also keeps ``~/.netrc`` away."""

    def __init__(self, settings: Settings) -> None:
        self._origin = origin(settings.base_url)
        self._authorization = settings.authorization

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        if origin(str(request.url)) == self._origin:
            request.headers["Authorization"] = self._authorization
        yield request


class AsyncTransport:
    """Reads pages for one connection on one event loop; :func:`shared_transport` makes it.

    :param settings: the connection.
    :param client: the pooled client.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self.settings = settings
        self.pacer = Pacer(settings.requests_per_second)
        self._client = client
        # httpx gives up after its pool time-out when too many wait for a connection; here they queue.
        self._slots = asyncio.Semaphore(settings.concurrency)

    async def read(
        self,
        filters: Mapping[str, str],
        page: int,
        page_size: int | None,
        log: logging.Logger,
        *,
        run: Run | None = None,
        max_attempts: int | None = None,
    ) -> Answer[Lead]:
        """Read one page, with retries; parameters as of :meth:`.Transport.read`.

        :param log: where retries are told.
        :raises SelaError: see :mod:`airflow_provider_sela.exceptions`.
        """
        settings = self.settings
        run = run or Run(settings)
        params = page_params(filters, page, page_size)

        def before_sleep(state: RetryCallState) -> None:
            run.retried(page, state, log)

        retrying = AsyncRetrying(
            **retry_options(max_attempts or settings.max_attempts, run.budget, before_sleep)
        )
        try:
            return await retrying(self._attempt, params, page, run)
        except SelaError as error:
            error.args = (f"connection {settings.conn_id!r}: {error}",)
            raise

    async def _attempt(self, params: Mapping[str, str], page: int, run: Run) -> Answer[Lead]:
        async with self._slots:
            pause = self.pacer.reserve(time.monotonic())
            while pause > 0:
                run.held_back(pause)
                await asyncio.sleep(pause)
                # Where the server asked for a pause meanwhile, queue again: not all may start when it ends.
                now = time.monotonic()
                pause = self.pacer.reserve(now) if self.pacer.paused(now) else 0.0
            run.sent()
            status, headers, body = await self._get(params)
        error = error_for(status, headers, body, page=page)
        if error is not None:
            if isinstance(error, SelaUnavailableError) and error.retry_after is not None:
                self.pacer.pause(time.monotonic(), error.retry_after)
            raise error
        decoded = (
            decode_page(body, page)
            if len(body) < _LARGE
            else await asyncio.to_thread(decode_page, body, page)
        )
        return Answer(decoded, date_microseconds(headers.get("Date")))

    async def _get(self, params: Mapping[str, str]) -> tuple[int, httpx.Headers, bytes]:
        """One answer, with our errors for those of ``httpx``, which hold the request and its filters."""
        begun = False
        try:
            async with (
                asyncio.timeout(DRIP_FACTOR * self.settings.timeout),
                self._client.stream("GET", self.settings.base_url + LEADS_PATH, params=params) as response,
            ):
                begun = True
                return response.status_code, response.headers, await _body(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            told = failure(_symptom(error, begun), error, self.settings)
        # Raised outside the handler: a context would keep the original error and its URL.
        raise told


async def _body(response: httpx.Response) -> bytes:
    check_encoding(response.headers)
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise SelaResponseError(
                f"the answer is larger than {MAX_BODY_BYTES >> 20} MB: lower extra 'page_size'"
            )
    return bytes(body)


#: Bytes from which an answer is decoded in a thread: 64 KB of JSON take about a millisecond of the loop.
_LARGE = 1 << 16


def _symptom(error: Exception, begun: bool) -> Symptom:
    if isinstance(error, httpx.ProxyError):
        return Symptom.PROXY_CREDENTIALS if str(error).startswith("407") else Symptom.PROXY
    if isinstance(error, httpx.ConnectTimeout):
        return Symptom.UNREACHED
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Symptom.SILENT
    if begun:
        return Symptom.CUT_OFF
    broken = httpx.NetworkError | httpx.RemoteProtocolError | OSError
    return Symptom.DROPPED if isinstance(error, broken) else Symptom.UNSENDABLE


class _Shared:
    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.client: httpx.AsyncClient | None = None
        self.transport: AsyncTransport | None = None

    async def open(self, settings: Settings) -> AsyncTransport:
        async with self.opening:
            if self.transport is None:
                # Reading the certificate authorities blocks for tens of milliseconds.
                verify = await asyncio.to_thread(_ssl_context, settings)
                self.client = _client(settings, verify)
                self.transport = AsyncTransport(settings, self.client)
            return self.transport


_shared: dict[tuple[asyncio.AbstractEventLoop, Settings], _Shared] = {}


@asynccontextmanager
async def shared_transport(settings: Settings) -> AsyncIterator[AsyncTransport]:
    """The transport of everybody on this event loop whose connection has these settings.

    One pooled client and one budget of requests for all of them; the last one to leave closes it. A
    connection that was edited has other settings, so whoever comes then does not get the old token.
    """
    key = (asyncio.get_running_loop(), settings)
    shared = _shared.setdefault(key, _Shared())
    shared.users += 1
    try:
        yield await shared.open(settings)
    finally:
        shared.users -= 1
        if not shared.users:
            del _shared[key]
            if shared.client is not None:
                await asyncio.shield(shared.client.aclose())


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    try:
        if isinstance(settings.verify, str):
            context = ssl.create_default_context(cafile=settings.verify)
        else:
            context = httpx.create_ssl_context()
    except (OSError, ValueError):
        raise SelaSetupError(f"connection {settings.conn_id!r}: {unreadable_bundle()}") from None
    try:
        load_client_certificate(context, settings)
    except SelaSetupError as error:
        raise SelaSetupError(f"connection {settings.conn_id!r}: {error}") from None
    return context


def _client(settings: Settings, verify: ssl.SSLContext) -> httpx.AsyncClient:
    redact_library_logs()
    return httpx.AsyncClient(
        auth=TokenAuth(settings),
        verify=verify,
        proxy=settings.proxy,
        timeout=settings.timeout,
        follow_redirects=False,
        limits=httpx.Limits(
            max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
        ),
        headers={"User-Agent": user_agent("httpx"), **ACCEPT},
    )
