"""A ``requests`` session that knows one origin and one token, and failures told in words that help."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import DecodeError, HTTPError, NameResolutionError, ProtocolError, ReadTimeoutError

from airflow_provider_sela import __version__
from airflow_provider_sela.api import origin
from airflow_provider_sela.exceptions import SelaError, SelaSetupError, SelaUnavailableError
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

    :param settings: the connection.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._timeout = settings.timeout
        self.auth = TokenAuth(settings)
        self.verify = settings.verify
        if settings.proxy:
            self.proxies = {"http": settings.proxy, "https": settings.proxy}
        self.headers["User-Agent"] = user_agent("requests")
        self.headers["Accept"] = "application/json"
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=settings.concurrency))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        return super().send(request, **kwargs)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("allow_redirects", False)
        return super().request(*args, **kwargs)

    def get(self, url: str | bytes, **kwargs: Any) -> requests.Response:
        # The inherited one asks for redirects.
        return self.request("GET", url, **kwargs)

    def options(self, url: str | bytes, **kwargs: Any) -> requests.Response:
        return self.request("OPTIONS", url, **kwargs)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        # The inherited one lets HTTPS_PROXY and REQUESTS_CA_BUNDLE win over the session's own values.
        if verify is None and isinstance(self.verify, str):
            verify = self.verify
        return super().merge_environment_settings(url, proxies or dict(self.proxies), stream, verify, cert)


def user_agent(library: str) -> str:
    """``User-Agent`` that lets the vendor's support see which versions are talking."""
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"airflow-provider-sela/{__version__} apache-airflow/{version('apache-airflow')} "
        f"{library}/{version(library)} Python/{python}"
    )


def with_clear_errors(settings: Settings, call: Callable[[], T]) -> T:
    """Call, and replace errors of ``requests``, whose text holds the URL with its filters, by our own.

    This is no context manager because of where it raises: outside any handler, so that the original error is
    not kept as the new one's ``__context__``.

    :raises SelaSetupError, SelaUnavailableError: what failed, and what to do about it.
    """
    try:
        return call()
    except (requests.RequestException, HTTPError, OSError) as error:
        failure = _failure(error, settings)
    raise failure


def _failure(error: Exception, settings: Settings) -> SelaError:
    server = origin(settings.base_url)
    causes = list(_causes(error))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _tls_failure(tls, server)
    if isinstance(error, requests.exceptions.ProxyError):
        if any("Tunnel connection failed: 407" in str(cause) for cause in causes if type(cause) is OSError):
            return SelaSetupError("the proxy wants credentials; put them into extra 'proxy'")
        return SelaUnavailableError("the proxy cannot be reached or refuses; check extra 'proxy'")
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return SelaUnavailableError(f"the name of {server} cannot be resolved; check Host and DNS")
    if isinstance(error, requests.ConnectTimeout):
        return SelaUnavailableError(
            f"no connection to {server} within {settings.timeout:g} s; check Host, port and firewall"
        )
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return SelaUnavailableError(
            f"{server} did not answer within {settings.timeout:g} s; raise extra 'timeout'"
        )
    if isinstance(error, DecodeError | ProtocolError):
        return SelaUnavailableError(f"the answer of {server} was cut off")
    if isinstance(error, requests.ConnectionError | HTTPError):
        return SelaUnavailableError(f"the connection to {server} failed or was dropped; check Host and port")
    if isinstance(error, requests.RequestException):
        return SelaSetupError(f"no request can be sent to {server}: check Host and extras")
    return SelaSetupError("the CA bundle of extra 'verify' cannot be read")


def _tls_failure(error: ssl.SSLError, server: str) -> SelaSetupError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SelaSetupError(
            f"the TLS certificate of {server} is not trusted ({error.verify_message.rstrip('.')}); if a "
            f"company authority signed it, set extra 'verify' to its CA bundle"
        )
    return SelaSetupError(
        f"no TLS with {server} ({error.reason or 'unknown reason'}): check that Host speaks https at this "
        f"port, and that extra 'verify' names a CA bundle"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        item = queue.pop()
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
            yield item
