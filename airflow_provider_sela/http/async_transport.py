"""Requests to the Sela API over ``httpx``, the asynchronous twin of :mod:`.transport`.

Import it inside the function that needs it: httpx costs time that DAG parsing should not pay.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import httpx
from tenacity import AsyncRetrying

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page, decode_page
from airflow_provider_sela.api.request import LEADS_PATH, origin, page_params
from airflow_provider_sela.exceptions import SelaSetupError, of_connection
from airflow_provider_sela.http.exchange import ACCEPT, Body, Exchange, Run, user_agent
from airflow_provider_sela.http.failures import DRIP_FACTOR, Symptom, error_for_symptom, unreadable_bundle
from airflow_provider_sela.http.log_filters import filter_library_logs
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


#: Bytes from which an answer is decoded in a thread: 64 KB of JSON take about a millisecond of the loop.
_LARGE = 1 << 16


class AsyncTransport:
    """Reads pages for one connection on one event loop; :func:`shared_transport` makes it.

    :param settings: the connection.
    :param client: the pooled client.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self.settings = settings
        self.exchange = Exchange(settings)
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
    ) -> Page[Lead]:
        """Read one page, with retries; parameters as of :meth:`.Transport.read`.

        :param log: where retries are logged.
        :raises SelaError: see :mod:`airflow_provider_sela.exceptions`.
        """
        run = run or Run(self.settings)
        params = page_params(filters, page, page_size)
        retrying = AsyncRetrying(**self.exchange.retrying(run, page, max_attempts, log))
        with self.exchange.naming_the_connection():
            return await retrying(self._attempt, params, page, run)

    async def _attempt(self, params: Mapping[str, str], page: int, run: Run) -> Page[Lead]:
        async with self._slots:
            for wait in self.exchange.waits(run):
                await asyncio.sleep(wait)
            status, headers, body = await self._get(params)
        if len(body) < _LARGE:
            return self.exchange.page(status, headers, body, page, decode_page)
        return await asyncio.to_thread(self.exchange.page, status, headers, body, page, decode_page)

    async def _get(self, params: Mapping[str, str]) -> tuple[int, httpx.Headers, bytes]:
        """One answer, with our errors for those of ``httpx``, which hold the request and its filters."""
        begun = False
        try:
            async with (
                asyncio.timeout(DRIP_FACTOR * self.settings.timeout),
                self._client.stream("GET", self.settings.base_url + LEADS_PATH, params=params) as response,
            ):
                begun = True
                body = Body(response.headers)
                async for chunk in response.aiter_bytes():
                    body.add(chunk)
                return response.status_code, response.headers, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            found = error_for_symptom(_symptom(error, begun), error, self.settings)
        # Raised outside the handler: a context would keep the original error and its URL.
        raise found


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
        raise SelaSetupError(of_connection(settings.conn_id, unreadable_bundle())) from None
    try:
        load_client_certificate(context, settings)
    except SelaSetupError as error:
        raise SelaSetupError(of_connection(settings.conn_id, error)) from None
    return context


def _client(settings: Settings, verify: ssl.SSLContext) -> httpx.AsyncClient:
    filter_library_logs()
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
