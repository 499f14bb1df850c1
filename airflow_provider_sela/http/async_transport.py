"""Requests to the Sela API over ``httpx``, the asynchronous twin of :mod:`.transport`.

Import it inside the function that needs it: httpx costs time that DAG parsing should not pay.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import httpx
from tenacity import AsyncRetrying

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page, decode_page
from airflow_provider_sela.api.request import LEADS_PATH, origin, page_params
from airflow_provider_sela.exceptions import SelaError, SelaSetupError, of_connection
from airflow_provider_sela.http.environment import route
from airflow_provider_sela.http.exchange import ACCEPT, Body, Exchange, Run, user_agent
from airflow_provider_sela.http.failures import DRIP_FACTOR, Symptom, error_for_symptom, proxy_symptom
from airflow_provider_sela.http.log_filters import filter_library_logs
from airflow_provider_sela.http.tls import Trust
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
        self._proxied = route(settings.base_url, settings, os.environ).proxy is not None
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
            found = error_for_symptom(_symptom(error, begun, self._proxied), error, self.settings)
        # Raised outside the handler: a context would keep the original error and its URL.
        raise found


def _symptom(error: Exception, begun: bool, proxied: bool) -> Symptom:
    if isinstance(error, httpx.ProxyError):
        # Its words are status and reason, where the proxy gave an answer.
        status = str(error)[:3]
        return proxy_symptom(int(status) if status.isdecimal() else None)
    if proxied and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Symptom.PROXY
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
                self.client = await asyncio.to_thread(_client_with_clear_errors, settings)
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


def _client(settings: Settings) -> httpx.AsyncClient:
    """A client that reads nothing from the environment by itself.

    Reading the certificate authorities blocks for tens of milliseconds, so make it in a thread.
    """
    filter_library_logs()
    trust, proxy = Trust(settings), route(settings.base_url, settings, os.environ).proxy
    https = settings.base_url.startswith("https:")
    return httpx.AsyncClient(
        auth=TokenAuth(settings),
        # Without https, a context that trusts nobody.
        verify=trust.of_server if https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        proxy=None if proxy is None else _proxy(proxy, settings, trust),
        trust_env=False,
        timeout=settings.timeout,
        follow_redirects=False,
        limits=httpx.Limits(
            max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
        ),
        headers={"User-Agent": user_agent("httpx"), **ACCEPT},
    )


def _proxy(url: str, settings: Settings, trust: Trust) -> httpx.Proxy:
    if "[" in settings.base_url:
        # httpcore writes the address to the proxy without its brackets, and no proxy understands that.
        raise SelaSetupError(
            "a trigger reaches no IPv6 address through a proxy: give Host a name, or put the address into "
            "NO_PROXY"
        )
    return httpx.Proxy(url, ssl_context=trust.of_others if url.startswith("https:") else None)


def _client_with_clear_errors(settings: Settings) -> httpx.AsyncClient:
    """As :func:`_client`, with an error of ours for whatever httpx makes of a connection or environment."""
    try:
        return _client(settings)
    except SelaError as error:
        found = SelaSetupError(of_connection(settings.conn_id, error))
    except Exception as error:  # noqa: BLE001 (triggers outlive errors of ours alone, and this is no request yet)
        reason = error_for_symptom(Symptom.UNSENDABLE, error, settings)
        found = SelaSetupError(of_connection(settings.conn_id, reason))
    # Raised outside the handler: a context could quote the proxy's URL, and its password.
    raise found
