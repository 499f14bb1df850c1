"""What comes back: pages of the list, and which page follows.

The contract is the vendor's "List Leads" reference page. Where that page is silent, the behaviour of Django
REST Framework's ``PageNumberPagination`` is expected, whose shape the API has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from airflow_provider_sela.api.leads import Lead, lead_id
from airflow_provider_sela.exceptions import SelaResponseError

L = TypeVar("L")


@dataclass(frozen=True)
class Page(Generic[L]):
    """One answer of the list endpoint.

    :param count: leads in the whole list, as the server counts them.
    :param next_page: number of the page that follows, None on the last.
    :param leads: the leads of this page, each with an integer ``id``.
    :param rejects: what stood in ``results`` without a usable ``id``.
    :param date: the server's clock when it answered (the ``Date`` header), microseconds since the epoch; None
        if there is none.
    :param age: seconds that the answer spent in caches, as the ``Age`` header says.
    :param expires: until when a cache may give the answer again, microseconds since the epoch; None if it may
        not, or if nothing is said.
    """

    count: int
    next_page: int | None
    leads: Sequence[L] = field(repr=False)
    rejects: list[Any] = field(default_factory=list, repr=False)
    date: int | None = None
    age: int = 0
    expires: int | None = None

    @property
    def rows(self) -> int:
        """Number of results on this page, rejects included: the length that page arithmetic needs."""
        return len(self.leads) + len(self.rejects)


def decode_page(body: bytes, page: int) -> Page[Lead]:
    """Read one answer of the list endpoint, flat or nested.

    The vendor's example nests a whole page inside ``results[0]``; such a page is unfolded.

    :param body: the answer's bytes.
    :param page: number of the page that was asked for.
    :raises SelaResponseError: not JSON, or not a page; the message never quotes the body.
    """
    envelope = _load(body)
    results: list[Any] = []
    _unfold(envelope, results, depth=0)
    leads: list[Lead] = []
    rejects: list[Any] = []
    for item in results:
        key = lead_id(item)
        if key is None:
            rejects.append(item)
        else:
            item["id"] = key
            leads.append(item)
    return Page(envelope["count"], page_after(envelope.get("next"), page), leads, rejects)


def _load(body: bytes) -> dict[str, Any]:
    try:
        document = read_json(body)
    except RecursionError:
        problem = "the answer is nested too deeply to be a page of leads"
    except ValueError:
        problem = _not_json(body)
    else:
        if isinstance(document, dict):
            return document
        problem = "the answer is JSON but no page: an object with count and results was expected; check Host"
    # Raised outside the handlers: as a context, a JSONDecodeError would keep the whole body.
    raise SelaResponseError(problem)


def read_json(body: bytes) -> Any:
    """Read JSON, and what is not quite JSON: NaN, infinity and numbers without end become text.

    :raises ValueError: it is something else.
    :raises RecursionError: nested too deeply to be read where this is called.
    """
    # Twice as fast as json, and stricter: what it takes, json reads alike; what it refuses is left to json.
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        return msgspec.json.decode(body)
    try:
        return json.loads(body, parse_constant=str, parse_float=_finite)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        # Python refuses integers of thousands of digits; such a value is kept as text.
        return json.loads(body, parse_constant=str, parse_float=_finite, parse_int=_integer)


def _finite(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _not_json(body: bytes) -> str:
    start = body[:200].lstrip().lower()
    if not start:
        return "the answer is empty: check Host, and any proxy on the way"
    if start.startswith((b"<!doctype", b"<html", b"<")):
        return "the answer is a web page, not JSON: check that Host is the API and not a login or proxy page"
    return "the answer is not valid JSON: it may have been cut off on the way"


def _unfold(page: dict[str, Any], into: list[Any], depth: int) -> None:
    count, results = page.get("count"), page.get("results")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0 or not isinstance(results, list):
        raise SelaResponseError(
            "the answer is JSON but no page of leads: count and results were expected; check Host"
        )
    for item in results:
        if depth < 3 and isinstance(item, dict) and "id" not in item and {"count", "results"} <= item.keys():
            _unfold(item, into, depth + 1)
        else:
            into.append(item)


def page_after(url: object, page: int) -> int | None:
    """The page number in ``next``. The URL itself is never requested: no server can steer the token."""
    if url is None:
        return None
    if not isinstance(url, str):
        raise SelaResponseError("next is neither a URL nor null")
    number = _page_number(url)
    if number is None:
        raise SelaResponseError("next names no page number: the API's pagination is not the documented one")
    if number <= page:
        raise SelaResponseError(
            f"next of page {page} leads back to page {number}: reading on would never end"
        )
    if number > page + 1:
        raise SelaResponseError(f"next of page {page} is page {number}: the leads between would be missed")
    return number


def _page_number(url: str) -> int | None:
    try:
        return int(parse_qs(urlsplit(url).query).get("page", [""])[0])
    except ValueError:
        return None
