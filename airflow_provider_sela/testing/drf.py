"""What Django REST Framework answers, to the letter: the rules of the sample API, without any I/O.

The vendor does not say what the API is built with; its shape is that of DRF's ``PageNumberPagination`` and
``TokenAuthentication``. The contract tests (``tests/testing/test_contract_*.py``) compare every rule here
with a real DRF application. Left out is content negotiation: the answer is JSON, whatever ``Accept`` or the
parameter ``format`` say.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

from airflow_provider_sela.testing.wire import Request, Response

JSON = "application/json"
HTML = "text/html; charset=utf-8"
ALLOW = "GET, HEAD, OPTIONS"

_URL_SAFE = "/#%[]=:;$&()+,!?*@'~"
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class InvalidPage(Exception):  # noqa: N818
    """The list has no such page; becomes 404 ``{"detail": "Invalid page."}``."""


@dataclass(slots=True)
class Page:
    """One page of the list, before it is written as JSON.

    :param count: length of the whole list.
    :param results: the leads.
    :param next: number of the next page, which becomes DRF's link to it; a string goes out as it is.
    :param previous: likewise.
    """

    count: int
    results: Sequence[Any]
    next: int | str | None
    previous: int | str | None


class Throttle:
    """The sliding window of DRF's ``SimpleRateThrottle``; refused requests do not count."""

    def __init__(self) -> None:
        self._let_through: deque[float] = deque()

    def wait(self, rate: float | None, now: float) -> float:
        """Let a request through (0.0), or return the seconds until the next one may come.

        :param rate: requests per second; below 1 it means one request in ``1 / rate`` seconds.
        :param now: reading of a clock that never goes back, in seconds.
        """
        if not rate:
            return 0.0
        allowed, window = (int(rate), 1.0) if rate >= 1 else (1, 1 / rate)
        while self._let_through and self._let_through[0] <= now - window:
            self._let_through.popleft()
        if len(self._let_through) >= allowed:
            return window - (now - self._let_through[0])
        self._let_through.append(now)
        return 0.0


def dumps(value: Any) -> bytes:
    """Write JSON as DRF's renderer does: compact, UTF-8, the two line separators of JavaScript escaped."""
    text = _encoder.encode(value)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def answer(status: int, body: bytes, **headers: str) -> Response:
    """Build a DRF answer; underscores in the names of ``headers`` stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"Content-Type": JSON, "Allow": ALLOW, **named}, body)


def refusal(status: int, detail: str, **headers: str) -> Response:
    """Build one of DRF's errors, ``{"detail": …}``."""
    return answer(status, dumps({"detail": detail}), **headers)


def html(status: int, title: str, **headers: str) -> Response:
    """Build an answer that does not come from DRF but from Django or from a gateway in front of it."""
    return Response(status, {"Content-Type": HTML, **headers}, f"<h1>{title}</h1>\n".encode())


def unauthorized(detail: str) -> Response:
    """Build a 401, with the challenge that names the scheme."""
    return refusal(401, detail, WWW_Authenticate="Token")


def throttled(wait: float) -> Response:
    """Build a 429 for a client that may come back in ``wait`` seconds, rounded up."""
    seconds = math.ceil(wait)
    detail = f"Request was throttled. Expected available in {seconds} second{'' if seconds == 1 else 's'}."
    return refusal(429, detail, Retry_After=str(seconds))


def typical(status: int) -> Response:
    """Build the answer that a client sees most often for a status."""
    if status == HTTPStatus.UNAUTHORIZED:
        return unauthorized("Invalid token.")
    if status == HTTPStatus.FORBIDDEN:
        return refusal(status, "You do not have permission to perform this action.")
    if status == HTTPStatus.NOT_FOUND:
        return refusal(status, "Invalid page.")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return throttled(1)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return html(status, "Server Error (500)")
    phrase = responses.get(status, "")
    return html(status, f"{status} {phrase}") if status > 500 else refusal(status, phrase)


def authentication_error(header: str | None, token: str) -> str | None:
    """Say what is wrong with an ``Authorization`` header; None where it carries the token."""
    words = (header or "").encode("latin-1").split()
    if not words or words[0].lower() != b"token":
        return "Authentication credentials were not provided."
    if len(words) == 1:
        return "Invalid token header. No credentials provided."
    if len(words) > 2:
        return "Invalid token header. Token string should not contain spaces."
    try:
        return None if words[1].decode() == token else "Invalid token."
    except UnicodeDecodeError:
        return "Invalid token header. Token string should not contain invalid characters."


def page_size(query: Mapping[str, str], default: int, cap: int | None) -> int:
    """Read ``page_size``: clamped to ``cap`` in silence, the default where it is no positive integer."""
    try:
        wanted = int(query["page_size"])
    except (KeyError, ValueError):
        return default
    if wanted <= 0:
        return default
    return min(wanted, cap) if cap else wanted


def page_number(page: str, last: int) -> int:
    """Read ``page``: a number from 1 to ``last``, or the word ``last``.

    :raises InvalidPage: it is anything else.
    """
    try:
        number = last if page == "last" else int(page)
    except ValueError:
        raise InvalidPage from None
    if not 1 <= number <= last:
        raise InvalidPage
    return number


def integer(text: str) -> int | None:
    """Read an integer as DRF's ``IntegerField`` does (``7``, ``7.0``); None where it is none."""
    try:
        return int(re.sub(r"\.0*\s*$", "", text)) if len(text) <= 1000 else None
    except ValueError:
        return None


def page_link(request: Request, base: str, page: int | str | None) -> str | None:
    """Write the link to a page as DRF does: parameters sorted by name, no ``page`` on a link to page 1.

    :param base: origin to use where the request has no ``Host``.
    """
    if page is None or isinstance(page, str):
        return page
    origin = f"http://{request.headers['host']}" if "host" in request.headers else base
    parts = urlsplit(f"{origin}{request.path}?{request.query_string}")
    query = parse_qs(parts.query, keep_blank_values=True)
    query.pop("page", None)
    if page != 1:
        query["page"] = [str(page)]
    return urlunsplit(parts._replace(query=urlencode(sorted(query.items()), doseq=True)))


def slash_redirect(request: Request) -> Response:
    """Build Django's answer to a path that lacks only its last slash."""
    query = quote(request.query_string, safe=_URL_SAFE)
    location = f"{request.path}/?{query}" if query else f"{request.path}/"
    return Response(301, {"Content-Type": HTML, "Location": location})


def options(name: str) -> Response:
    """Build the answer to ``OPTIONS``."""
    parses = [JSON, "application/x-www-form-urlencoded", "multipart/form-data"]
    return answer(200, dumps({"name": name, "description": "", "renders": [JSON], "parses": parses}))
