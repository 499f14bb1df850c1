"""A ``requests`` session that knows one origin and one token, and its failures in our own words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, ReadTimeoutError

from airflow_provider_sela.api.request import origin
from airflow_provider_sela.http.adapters import SelaAdapter
from airflow_provider_sela.http.environment import route
from airflow_provider_sela.http.exchange import ACCEPT, user_agent
from airflow_provider_sela.http.failures import Symptom, error_for_symptom, proxy_symptom
from airflow_provider_sela.http.tls import Trust
from airflow_provider_sela.settings import Settings

T = TypeVar("T")


class TokenAuth(AuthBase):
    """Adds the token to requests to one origin; having it on the session keeps ``~/.netrc`` away."""

    def __init__(self, settings: Settings) -> None:
        self._origin = origin(settings.base_url)
        self._authorization = settings.authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if origin(request.url or "") == self._origin:
            request.headers["Authorization"] = self._authorization
        return request


class SelaSession(requests.Session):
    """A session with a time-out for every request and no redirects unless they are asked for.

    Token and client certificate are for the connection's own origin only.

    :param settings: the connection.
    :param trust: its TLS contexts, which sessions share: each takes longer to make than a request.
    :raises SelaSetupError: on a request, authorities, client certificate or proxy cannot be used.
    """

    def __init__(self, settings: Settings, trust: Trust) -> None:
        super().__init__()
        self._settings = settings
        self._parts: list[object] = []
        self._prepared = requests.PreparedRequest()
        self.auth = TokenAuth(settings)
        # The environment is read by route() alone.
        self.trust_env = False
        self.headers["User-Agent"] = user_agent("requests")
        self.headers.update(ACCEPT)
        pool: dict[str, Any] = {"pool_connections": 1, "pool_maxsize": settings.concurrency}
        for scheme in ("https://", "http://"):
            self.mount(scheme, SelaAdapter(lambda: trust.of_others, lambda: trust.of_others, **pool))
        scheme, _, rest = settings.base_url.partition("://")
        own = SelaAdapter(lambda: trust.of_server, lambda: trust.of_others, **pool)
        self.mount(f"{scheme}://{rest.partition('/')[0]}/", own)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._settings.timeout
        if "proxies" not in kwargs:
            kwargs["proxies"] = self._proxies_for(request.url or "")
        return super().send(request, **kwargs)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("allow_redirects", False)
        return super().request(*args, **kwargs)

    def get(self, url: str | bytes, **kwargs: Any) -> requests.Response:
        # The inherited one asks for redirects.
        return self.request("GET", url, **kwargs)

    def get_streamed(self, url: str, params: Mapping[str, str]) -> requests.Response:
        """What :meth:`get` gives with ``stream=True``, for less: requests of one URL are copies of the first.

        :param params: at least one.
        """
        parts = [url, self.auth, *self.headers.items(), *self.hooks["response"]]
        if parts != self._parts:
            self._parts, self._prepared = parts, requests.PreparedRequest()
            self._prepared.prepare("GET", url, headers=self.headers, auth=self.auth, hooks=self.hooks)
        request = copy(self._prepared)
        request.url = f"{self._prepared.url}?{urlencode(params)}"
        if self.cookies:
            request.headers = request.headers.copy()
            request.prepare_cookies(self.cookies)
        return self.send(request, stream=True, allow_redirects=False, proxies=self._proxies_for(url))

    def options(self, url: str | bytes, **kwargs: Any) -> requests.Response:
        return self.request("OPTIONS", url, **kwargs)

    def merge_environment_settings(self, url: Any, proxies: Any, *args: Any) -> Any:
        return super().merge_environment_settings(url, proxies or self._proxies_for(str(url)), *args)

    def _proxies_for(self, url: str) -> dict[str, str]:
        proxy = route(url, self._settings, os.environ).proxy
        return {"http": proxy, "https": proxy} if proxy else {}


def with_clear_errors(settings: Settings, call: Callable[[], T]) -> T:
    """Call, and replace errors of ``requests``, whose text holds the URL with its filters, by our own.

    This is no context manager because of where it raises: outside any handler, so that the original error is
    not kept as the new one's ``__context__``.

    :raises SelaSetupError, SelaUnavailableError: what failed, and what to do about it.
    """
    try:
        return call()
    except (OSError, HTTPError) as error:
        found = error_for_symptom(_symptom(error), error, settings)
    # Raised outside the handler: a context would keep the original error and its URL.
    raise found


def _symptom(error: Exception) -> Symptom:
    if isinstance(error, requests.exceptions.ProxyError):
        # The words of http.client, which has no error of its own for this.
        refusal = re.search(r"Tunnel connection failed: (\d{3})", str(error))
        return proxy_symptom(int(refusal[1]) if refusal else None)
    if isinstance(error, requests.ConnectTimeout):
        return Symptom.UNREACHED
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return Symptom.SILENT
    if isinstance(error, HTTPError):
        # requests wraps what fails before the answer begins; its body is read past it.
        return Symptom.CUT_OFF
    if isinstance(error, requests.exceptions.InvalidHeader) and isinstance(error.args[0], HTTPError):
        # One of the answer's; of those of a request, requests speaks in words of its own.
        return Symptom.DROPPED
    broken = not isinstance(error, requests.RequestException) or isinstance(error, requests.ConnectionError)
    return Symptom.DROPPED if broken else Symptom.UNSENDABLE
