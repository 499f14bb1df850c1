"""The sample API: leads behind DRF's rules, on loopback."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from types import TracebackType
from typing import Any, Self

from airflow_provider_sela.testing import drf
from airflow_provider_sela.testing.drf import Page
from airflow_provider_sela.testing.samples import Lead
from airflow_provider_sela.testing.store import LeadStore
from airflow_provider_sela.testing.wire import Listener, Request, Response

log = logging.getLogger(__name__)

LEADS_PATH = "/api/leads/"
FILTERS = ("email", "external_id", "phone_number", "user")
_ONE_LEAD = re.compile(rf"{LEADS_PATH}([0-9]{{1,18}})/")


class SelaApi(LeadStore):
    """A Sela API on loopback, for as long as the ``with`` block lasts.

    ::

        with SelaApi(leads=250) as api:
            monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))

    It answers ``GET /api/leads/`` and ``GET /api/leads/{id}/`` as Django REST Framework does, and no request
    changes a lead. To make the list drift or lie, override :meth:`select` or :meth:`paginate`; to
    misbehave altogether, override :meth:`respond`. It may be entered again after it was closed: same port,
    same leads, as after an outage.

    :param leads: how many sample leads, or the leads themselves, in list order.
    :param token: the key that requests carry as ``Authorization: Token <key>``.
    :param page_size: leads on a page where the request does not say.
    :param max_page_size: a larger ``page_size`` is clamped to this without a word; None for no limit.
    :param seed: another seed gives other sample leads.
    :param latency: seconds to wait before each answer; may be changed at any time.
    :param host: address to listen on.
    :param port: port to listen on; 0 for a free one.
    :raises ValueError: a lead has no integer ``id``, two have the same one, or a size is below 1.
    :raises OSError: on entry, when the port is taken.

    :ivar requests: every request so far (:class:`Request`), in the order of arrival.
    :ivar rate_limit: requests per second, None for no limit; beyond, the answer is 429 with ``Retry-After``.
    """

    def __init__(
        self,
        leads: int | Iterable[Lead] = 250,
        *,
        token: str = "sela-test-token",  # noqa: S107
        page_size: int = 100,
        max_page_size: int | None = 1000,
        seed: int = 0,
        latency: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if page_size < 1 or (max_page_size is not None and max_page_size < 1):
            raise ValueError("page_size and max_page_size must be 1 or more")
        super().__init__(leads, seed)
        self.token = token
        self.page_size = page_size
        self.max_page_size = max_page_size
        self.latency = latency
        self.rate_limit: float | None = None
        self.requests: list[Request] = []
        self._address = (host, port)
        self._listener: Listener | None = None
        self._closing = threading.Event()
        self._connections = 0
        self._answers: deque[repeat[Response]] = deque()
        self._throttle = drf.Throttle()

    def __enter__(self) -> Self:
        if self._listener is not None:
            raise RuntimeError("this SelaApi is serving already")
        self._closing.clear()
        self._listener = Listener(self._address, self._answer)
        self._address = (self._address[0], self._listener.server_port)
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and close every connection; a second call does nothing."""
        self._closing.set()
        if self._listener is not None:
            self._listener.stop()
            self._connections += self._listener.accepted
            self._listener = None

    @property
    def url(self) -> str:
        """Base URL, such as ``http://127.0.0.1:40123``; a free port is known once the block is entered."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection: ``json.dumps(api.connection)`` is a valid ``AIRFLOW_CONN_SELA_DEFAULT``."""
        return {"conn_type": "sela", "host": self.url, "password": self.token, "extra": {}}

    @property
    def connections(self) -> int:
        """Number of TCP connections accepted so far."""
        return self._connections + (self._listener.accepted if self._listener is not None else 0)

    def answer_next(
        self,
        status: int,
        *,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | dict[str, Any] | list[Any] | None = None,
    ) -> None:
        """Give the next ``times`` requests this answer, whatever they ask. Calls queue up.

        :param status: 401, 403, 404 (an invalid page) and 429 (``Retry-After: 1``) look as DRF's, 500 as
            Django's, higher ones as a gateway's.
        :param times: how many requests.
        :param headers: added to the usual ones of that status, in place of those with the same name.
        :param body: bytes and text go out as they are, a dict or list as JSON; None for the usual one.
        """
        usual = drf.typical(status) if body is None else drf.answer(status, b"")
        if isinstance(body, bytes | str):
            usual.body = body.encode() if isinstance(body, str) else body
        elif body is not None:
            usual.body = drf.dumps(body)
        given = {name.lower() for name in headers or {}}
        kept = {name: value for name, value in usual.headers.items() if name.lower() not in given}
        with self.lock:
            self._answers.append(repeat(replace(usual, headers={**kept, **(headers or {})}), times))

    def paginate(self, leads: Sequence[Any], page: str, page_size: int, query: Mapping[str, str]) -> Page:
        """Cut one page out of the list.

        :param leads: what :meth:`select` returned.
        :param page: the parameter as it came; ``1`` where there is none.
        :param page_size: clamped already.
        :param query: all parameters of the request.
        :raises InvalidPage: there is no such page.
        """
        last = max(1, math.ceil(len(leads) / page_size))
        number = drf.page_number(page, last)
        start = (number - 1) * page_size
        return Page(
            count=len(leads),
            results=leads[start : start + page_size],
            next=number + 1 if number < last else None,
            previous=number - 1 or None,
        )

    def respond(self, request: Request) -> Response:
        """Answer one request. Called from the thread of its connection, so from several at once.

        :param request: what was asked, as it came.
        """
        queued = self._queued()
        if queued is not None:
            return queued
        one = _ONE_LEAD.fullmatch(request.path)
        if request.path != LEADS_PATH and one is None:
            slashed = f"{request.path}/"
            if slashed == LEADS_PATH or _ONE_LEAD.fullmatch(slashed):
                return drf.slash_redirect(request)
            return drf.html(404, "Not Found")
        error = drf.authentication_error(request.headers.get("authorization"), self.token)
        if error is not None:
            return drf.unauthorized(error)
        with self.lock:
            wait = self._throttle.wait(self.rate_limit, time.monotonic())
        if wait > 0:
            return drf.throttled(wait)
        if request.method == "OPTIONS":
            return drf.options("Lead Detail" if one else "Lead List")
        if request.method not in ("GET", "HEAD"):
            return drf.refusal(405, f'Method "{request.method}" not allowed.')
        return self._retrieve(int(one[1])) if one else self._list(request)

    def _retrieve(self, lead_id: int) -> Response:
        with self.lock:
            lead = self.leads.get(lead_id)
            if lead is None:
                return drf.refusal(404, "No Lead matches the given query.")
            return drf.answer(200, self.encode(lead))

    def _list(self, request: Request) -> Response:
        query = request.query
        filters = {name: query[name] for name in FILTERS if query.get(name)}
        if "user" in filters:
            user = drf.integer(filters["user"])
            if user is None:
                return drf.answer(400, drf.dumps({"user": ["A valid integer is required."]}))
            filters["user"] = str(user)
        size = drf.page_size(query, self.page_size, self.max_page_size)
        with self.lock:
            try:
                page = self.paginate(self.select(filters), query.get("page") or "1", size, query)
            except drf.InvalidPage:
                return drf.refusal(404, "Invalid page.")
            results = b",".join(map(self.encode, page.results))
        links = [drf.dumps(drf.page_link(request, self.url, number)) for number in (page.next, page.previous)]
        body = b'{"count":%b,"next":%b,"previous":%b,"results":[%b]}'
        return drf.answer(200, body % (drf.dumps(page.count), *links, results))

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        if self.latency > 0:
            self._closing.wait(self.latency)
        try:
            response = self.respond(request)
        except Exception:
            log.exception("the sample API failed")
            response = drf.typical(500)
        request.status = response.status
        return response

    def _queued(self) -> Response | None:
        with self.lock:
            while self._answers:
                for response in self._answers[0]:
                    return replace(response, headers=dict(response.headers))
                self._answers.popleft()
        return None
