"""Why a request got no answer, and what to do about it: the same words whichever HTTP library asked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from airflow_provider_sela.api.request import origin
from airflow_provider_sela.api.responses import TRANSIENT_STATUSES
from airflow_provider_sela.exceptions import SelaError, SelaSetupError, SelaUnavailableError
from airflow_provider_sela.settings import Settings

#: A whole answer may take this many time-outs: a server that drips bytes must not hold a task for ever.
DRIP_FACTOR = 10

# What a connection that merely broke looks like to TLS, and what it says while it waits for more bytes.
_NOT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

# What a server says (RFC 8446, section 6.2) that got no client certificate, or one that it does not accept.
_REFUSALS = (
    "CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "DECRYPT_ERROR",
)  # fmt: skip

_UNKNOWN_AUTHORITY = "if a company authority signed it, set extra 'verify' to its CA bundle"
_WRONG_NAME = "check Host: the server behind it, or a proxy on the way, is another one"
_WRONG_TIME = "its owner must renew it, unless the clock of this machine is wrong"
# By OpenSSL's X509_V_ERR_…: not yet valid, expired, another name, another IP address.
_CERTIFICATE_CURES = {9: _WRONG_TIME, 10: _WRONG_TIME, 62: _WRONG_NAME, 64: _WRONG_NAME}


class Symptom(Enum):
    """What an HTTP library saw; each library's transport says which of its errors mean which."""

    PROXY = auto()
    PROXY_CREDENTIALS = auto()
    #: The proxy answered, and lets nothing through to this server.
    PROXY_REFUSAL = auto()
    #: No connection within the time-out.
    UNREACHED = auto()
    #: A connection, and no bytes or too slow ones.
    SILENT = auto()
    #: The connection failed before the answer began.
    DROPPED = auto()
    #: The answer began and did not end.
    CUT_OFF = auto()
    #: The library refuses the request itself.
    UNSENDABLE = auto()


def error_for_symptom(symptom: Symptom, error: BaseException, settings: Settings) -> SelaError:
    """The error to raise, outside of any handler, in place of a library's.

    :param error: the library's; its text holds the URL with its filters, so only what TLS and the resolver
        say is taken from it and from its causes.
    """
    server, seconds = origin(settings.base_url), f"{settings.timeout:g}"
    causes = list(_causes(error))
    tls = next((item for item in causes if isinstance(item, ssl.SSLError)), None)
    # An answer that has begun proves that TLS is set up right: what broke it is of the moment.
    if tls is not None and symptom is not Symptom.CUT_OFF:
        return _tls_failure(tls, server)
    if symptom is Symptom.PROXY_CREDENTIALS:
        return SelaSetupError("the proxy wants credentials; put them into extra 'proxy'")
    if symptom is Symptom.PROXY_REFUSAL:
        return SelaSetupError(
            f"the proxy lets nothing through to {server}: ask who runs it, or name another in extra 'proxy'"
        )
    if symptom is Symptom.PROXY:
        return SelaUnavailableError(
            "the proxy cannot be reached or refuses; check extra 'proxy', or HTTPS_PROXY in the environment"
        )
    if any(isinstance(item, socket.gaierror) for item in causes):
        return SelaUnavailableError(f"the name of {server} cannot be resolved; check Host and DNS")
    if symptom is Symptom.UNSENDABLE:
        return SelaSetupError(f"no request can be sent to {server}: check Host and extras")
    return SelaUnavailableError(
        {
            Symptom.UNREACHED: f"no connection to {server} within {seconds} s; check Host, port and firewall",
            Symptom.SILENT: f"{server} did not answer within {seconds} s; raise extra 'timeout'",
            Symptom.DROPPED: f"the connection to {server} failed or was dropped; check Host and port",
            Symptom.CUT_OFF: f"the answer of {server} was cut off; if it stays so, lower extra 'page_size'",
        }[symptom]
    )


def proxy_symptom(status: int | None) -> Symptom:
    """What it means that a proxy opens no tunnel.

    :param status: of its answer; None where it gave none.
    """
    if status in (401, 407):
        return Symptom.PROXY_CREDENTIALS
    refused = status is not None and 400 <= status < 500 and status not in TRANSIENT_STATUSES
    return Symptom.PROXY_REFUSAL if refused else Symptom.PROXY


def _tls_failure(error: ssl.SSLError, server: str) -> SelaSetupError:
    if isinstance(error, ssl.SSLCertVerificationError):
        cure = _CERTIFICATE_CURES.get(error.verify_code, _UNKNOWN_AUTHORITY)
        return SelaSetupError(
            f"the TLS certificate of {server} is not trusted ({error.verify_message.rstrip('.')}); {cure}"
        )
    reason = error.reason or ""
    if "_ALERT_" in reason and reason.endswith(_REFUSALS):
        return SelaSetupError(
            f"{server} wants a client certificate and does not accept what it got: check extras "
            f"'client_cert' and 'client_key'"
        )
    return SelaSetupError(
        f"no TLS with {server} ({reason or 'unknown reason'}): check that Host speaks https at this "
        f"port, and that extra 'verify' names a CA bundle"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, wherever a library keeps that."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        item = queue.pop()
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
            if not isinstance(item, _NOT_TLS):
                yield item
