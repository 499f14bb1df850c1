"""What an answer means: the page in it, or the error that it stands for and how long to wait."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.request import DEFAULT_HOST, LEADS_PATH, origin
from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaPageGoneError,
    SelaPermissionError,
    SelaRateLimitError,
    SelaRequestError,
    SelaResponseError,
    SelaSetupError,
    SelaUnavailableError,
)

L = TypeVar("L")

#: Failures of the moment: the request may succeed if it is sent again. Beside those that HTTP names there are
#: 520 to 530 of Cloudflare, 529, 598, …: what a server blames on itself passes, but for the three that say
#: that it, or the network, never does such a thing.
TRANSIENT_STATUSES = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505, 511}

#: Seconds; who asks for a longer pause is understood as asking for this. The longest period that Django REST
#: Framework can throttle by is a day, and the largest ``retry_budget`` is one.
LONGEST_RETRY_AFTER = 86_400.0
# A number from here on is no duration but a moment, in seconds since 1970.
_MOMENT = 1e9

#: With which servers refuse pages that lie too deep, beside 404. A refusal that is meant for every page is
#: told by page 1, which each read asks for.
_NO_SUCH_PAGE = frozenset({400, 403, 410, 416, 422})

_OUTAGE = "the server cannot answer for now"
_MOMENTS = {429: "too many requests for this token, lower extra 'requests_per_second'"}

_SETUP = {
    404: f"there is no {LEADS_PATH} at this Host; set Host to {DEFAULT_HOST}",
    407: "the proxy wants credentials; put them into the proxy URL",
    451: "refused for legal reasons, by Sela or by the network on the way; ask who runs it",
    511: "the network of this machine wants a log-in before it lets anything through; ask who runs it",
}
_IN_BETWEEN = (
    "something on the way refused (a proxy, a firewall, a log-in page), or Host is another server; ask who "
    "runs the network to let this machine through"
)

#: What caches say of an answer that they had kept: by RFC 9211, of Cloudflare, and of CloudFront, Fastly and
#: Squid. One that they asked the server for again before they gave it is none.
_HITS = {
    "Cache-Status": re.compile(r";\s*hit\s*(?:=\s*\?1\s*)?(?:[;,]|$)"),
    "CF-Cache-Status": re.compile(r"^\s*(?:HIT|STALE|UPDATING)\b", re.IGNORECASE),
    "X-Cache": re.compile(r"(?:^|,)\s*HIT\b", re.IGNORECASE),
}

# The sentences that Django REST Framework itself writes; any other text may quote what we sent.
_SAFE_DETAILS = frozenset(
    {
        "Authentication credentials were not provided.",
        "Invalid token.",
        "Invalid token header. No credentials provided.",
        "User inactive or deleted.",
        "You do not have permission to perform this action.",
    }
)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for; None if absent or not understood.

    Never negative, and at most :data:`LONGEST_RETRY_AFTER`.

    :param value: seconds or an HTTP date (RFC 9110, section 10.2.3), or seconds since 1970, as some gateways
        write it.
    :param now: moment to count a date from; default: the current time.
    """
    if value is None:
        return None
    now = now or datetime.now(UTC)
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        moment = _http_date(text)
        seconds = math.nan if moment is None else (moment - now).total_seconds()
    else:
        seconds -= now.timestamp() if seconds >= _MOMENT else 0
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def page_in(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    page: int,
    decode: Callable[[bytes, int], Page[L]],
) -> Page[L]:
    """The page in an answer, with the server's clock.

    :param page: number of the page that was asked for.
    :param decode: reads the body, :func:`~.pages.decode_page` or :func:`~.raw.raw_page`.
    :raises SelaError: the answer stands for an error, or holds no page.
    """
    error = error_for(status, headers, body, page=page)
    if error is not None:
        raise error
    date = date_microseconds(headers.get("Date"))
    return replace(decode(body, page), date=date, age=age(headers), expires=expires(headers, date))


def error_for(status: int, headers: Mapping[str, str], body: bytes, *, page: int = 1) -> SelaError | None:
    """The error that an answer stands for, None for a success.

    :param status: HTTP status.
    :param headers: response headers, looked up case-insensitively by the mapping itself.
    :param body: the answer's bytes; only sentences known to be the framework's own are quoted.
    :param page: number of the page that was asked for.
    """
    if status == 200:
        return None
    if status in TRANSIENT_STATUSES:
        kind = SelaRateLimitError if status == 429 else SelaUnavailableError
        # The server's date and its clock belong together, whatever the time is here.
        pause = retry_after(headers.get("Retry-After"), _http_date(headers.get("Date") or ""))
        return kind(f"HTTP {status}: {_MOMENTS.get(status, _OUTAGE)}; run it again later", retry_after=pause)
    if 300 <= status < 400:
        return SelaSetupError(f"HTTP {status}: {_redirect(headers.get('Location'))}")
    if page > 1 and (status == 404 or (status in _NO_SUCH_PAGE and _speaks_json(body))):
        return SelaPageGoneError(
            f"HTTP {status} for page {page}: the list is shorter than that now, or the server pages only so"
            " far"
        )
    if status in _SETUP:
        return SelaSetupError(f"HTTP {status}: {_SETUP[status]}")
    if status >= 400 and not _speaks_json(body):
        return SelaSetupError(f"HTTP {status}, and not in the API's words: {_IN_BETWEEN}")
    return _refusal(status, _detail(body))


def _refusal(status: int, detail: str) -> SelaError:
    if status == 401:
        return SelaAuthenticationError(
            f"HTTP 401{detail}: the token is wrong or revoked; put a valid API token into Password"
        )
    if status == 403:
        return SelaPermissionError(f"HTTP 403{detail}: ask Sela to let this token read leads")
    if 400 <= status < 500:
        return SelaRequestError(
            f"HTTP {status}: the server refuses this request; check the filters and page_size"
        )
    return SelaResponseError(f"HTTP {status}: an answer that the API does not document; report it to Sela")


def _speaks_json(body: bytes) -> bool:
    """Whether the API can have written this. Its refusals are JSON; proxies and firewalls send web pages."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"", b"{", b"[")


def date_microseconds(value: str | None) -> int | None:
    """A ``Date`` header in microseconds since the epoch, None where it is missing or malformed."""
    moment = _http_date(value or "")
    return None if moment is None else int(moment.timestamp()) * 1_000_000


def age(headers: Mapping[str, str]) -> int:
    """Seconds that an answer spent in caches, as ``Age`` says; 1 at least if a cache says that it had it."""
    hit = any(pattern.search(headers.get(name, "")) for name, pattern in _HITS.items())
    return max(_seconds(headers.get("Age")) or 0, int(hit))


def expires(headers: Mapping[str, str], date: int | None) -> int | None:
    """Until when a shared cache may give an answer again, microseconds since the epoch; None if it may not or
    nobody says (RFC 9111, section 4.2.1).

    :param date: when it was given, microseconds since the epoch; None if nobody knows.
    """
    said = (each.strip().lower() for each in headers.get("Cache-Control", "").split(","))
    control = dict(each.partition("=")[::2] for each in said)
    if not control.keys().isdisjoint(("no-store", "no-cache", "private")):
        return None
    lasting = _seconds(control.get("s-maxage", control.get("max-age", "")).strip('"'))
    if lasting is not None:
        return (date or 0) + lasting * 1_000_000
    return date_microseconds(headers.get("Expires"))


def _seconds(value: str | None) -> int | None:
    """Whole seconds in a header, None where they are missing or malformed."""
    text = (value or "").strip()
    return int(text[:10]) if text.isascii() and text.isdigit() else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _detail(body: bytes) -> str:
    try:
        detail = json.loads(body[:1000]).get("detail")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return f" ({detail.rstrip('.')})" if isinstance(detail, str) and detail in _SAFE_DETAILS else ""


def _redirect(location: str | None) -> str:
    try:
        target = origin(location or "")
    except ValueError:
        return "the server redirects, which is never followed; check Host"
    return f"the server redirects to {target}, which is never followed; if that is Sela, set Host to it"
