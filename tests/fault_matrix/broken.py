"""The faults: each is a sample API on loopback that breaks one promise of HTTP, of JSON or of the list."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from airflow_provider_sela.testing import Request, Response, SelaApi, drf
from airflow_provider_sela.testing.drf import Page
from airflow_provider_sela.testing.wire import Send
from tests.fault_matrix.clock import Clock
from tests.support.tls import Authority

#: Seconds that a server asks for in ``Retry-After``.
ASKED = 7
#: Id of a lead in the middle of the list, and of one that is added while somebody waits for it.
MIDDLE, NEW = 50_030, 90_001
WANTED = "planted-external-id"
PHONE = "+18045550142"
TOKEN = "planted-token-1f9c"
SIZE = 20
HTML = b"<!doctype html><title>Log in</title>"


@dataclass
class Occurrence:
    """A fault in one cell: where it is, and whether it strikes now.

    :param elsewhere: another server, which must never be asked anything.
    """

    fault: Fault
    lasting: bool
    clock: Clock
    elsewhere: SelaApi
    folder: Path
    struck: int = 0
    armed_at: float = float("inf")
    asked: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def strikes(self) -> bool:
        """Count a request, and say whether it is one that the fault hits."""
        self.asked += 1
        hit = self.asked >= self.armed_at and (self.lasting or not self.struck)
        self.struck += hit
        return hit


Answer = Callable[[Occurrence, Request, Response], Response]


@dataclass(frozen=True)
class Fault:
    """One way to be broken.

    :param answer: makes the broken answer out of the honest one.
    :param lead: changes the JSON of two leads, in every answer.
    :param always: it is a property of the server, which no later request finds gone.
    :param site: keeps the server from being reached at all; leaving it mends that.
    :param options: of the API.
    :param extra: of the connection.
    :param fixed_size: leads on a page, whatever the request says.
    :param tls: makes the server speak https.
    :param trusted: the connection names the authority behind the server's certificate.
    :param select: the leads that a request gets, in place of those that match its filters.
    """

    answer: Answer | None = None
    lead: Callable[[bytes], bytes] | None = None
    always: bool = False
    site: Callable[[BrokenApi], contextlib.AbstractContextManager[str]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    fixed_size: int | None = None
    tls: Callable[[Authority], ssl.SSLContext] | None = None
    trusted: bool = True
    select: Callable[[BrokenApi, Any, dict[str, str]], Any] | None = None


class BrokenApi(SelaApi):
    """A sample API with one fault."""

    def __init__(self, here: Occurrence, leads: Any) -> None:
        self.here = here
        super().__init__(leads, token=TOKEN, page_size=SIZE, **here.fault.options)
        self._tls: ssl.SSLContext | None = None
        self.bundle: str | None = None
        if here.fault.tls is not None:
            authority = Authority(here.folder)
            self._tls = here.fault.tls(authority)
            self.bundle = str(authority.bundle) if here.fault.trusted else None

    def __enter__(self) -> Self:
        super().__enter__()
        if self._tls is not None:
            assert self._listener is not None
            self._listener.socket = self._tls.wrap_socket(self._listener.socket, server_side=True)
        return self

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:") if self._tls is not None else super().url

    def respond(self, request: Request) -> Response:
        with self.lock:
            strikes = self.here.strikes()
        honest = super().respond(request)
        if strikes and self.here.fault.answer is not None:
            return self.here.fault.answer(self.here, request, honest)
        return honest

    def select(self, filters: dict[str, str]) -> Any:
        alter = self.here.fault.select
        return super().select(filters) if alter is None else alter(self, super().select, filters)

    def paginate(self, leads: Any, page: str, page_size: int, query: Mapping[str, str]) -> Page:
        return super().paginate(leads, page, self.here.fault.fixed_size or page_size, query)

    def encode(self, lead: Any) -> bytes:
        data = super().encode(lead)
        alter = self.here.fault.lead
        return alter(data) if alter is not None and lead["id"] in (MIDDLE, NEW) else data


def status(code: int, **headers: str) -> Fault:
    """An answer with a status other than 200."""

    def answer(here: Occurrence, request: Request, honest: Response) -> Response:
        usual = drf.typical(code)
        usual.headers.pop("Retry-After", None)
        usual.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return usual

    return Fault(answer)


def throttled_until(here: Occurrence, request: Request, honest: Response) -> Response:
    moment = email.utils.formatdate(time.time() + ASKED + 1, usegmt=True)
    return drf.refusal(429, "Request was throttled.", Retry_After=moment)


def refused_after_page_1(code: int) -> Fault:
    """Refuse every page but the first, as servers do that page only so far."""

    def answer(here: Occurrence, request: Request, honest: Response) -> Response:
        return honest if request.query["page"] == "1" else drf.typical(code)

    return Fault(answer)


def redirected(here: Occurrence, request: Request, honest: Response) -> Response:
    target = f"{here.elsewhere.url}{request.path}?{request.query_string}"
    return Response(302, {"Location": target})


def wire(send: Callable[[Occurrence, socket.socket, bytes], None]) -> Fault:
    """What plain HTTP cannot express: the answer's bytes are in the fault's hands."""

    def answer(here: Occurrence, request: Request, honest: Response) -> Response:
        sender: Send = lambda connection, data: send(here, connection, data)  # noqa: E731
        return Response(honest.status, honest.headers, honest.body, sender)

    return Fault(answer)


def nothing(here: Occurrence, connection: socket.socket, data: bytes) -> None:
    """Hang up."""


def reset(here: Occurrence, connection: socket.socket, data: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def reset_in_body(here: Occurrence, connection: socket.socket, data: bytes) -> None:
    connection.sendall(data[: -len(data) // 4])
    here.over.wait(0.05)
    reset(here, connection, data)


def cut(here: Occurrence, connection: socket.socket, data: bytes) -> None:
    connection.sendall(data[: -len(data) // 4])


def silent(here: Occurrence, connection: socket.socket, data: bytes) -> None:
    here.over.wait(20)


def silent_in_body(here: Occurrence, connection: socket.socket, data: bytes) -> None:
    connection.sendall(data[: -len(data) // 4])
    here.over.wait(20)


def dripping(prefix: bytes) -> Fault:
    """A byte every two seconds of the client's clock, each well within its time-out."""

    def drip(here: Occurrence, connection: socket.socket, data: bytes) -> None:
        connection.sendall(prefix)
        while not here.over.wait(0.005):
            here.clock.passed += 2
            connection.sendall(b" ")

    return wire(drip)


def body(change: Callable[[bytes], bytes], **headers: str) -> Fault:
    """A 200 with another body, whose length is announced correctly."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(here: Occurrence, request: Request, honest: Response) -> Response:
        return Response(200, {**honest.headers, **named}, change(honest.body))

    return Fault(answer)


def envelope(**changes: Callable[[Occurrence, Any], Any]) -> Fault:
    """A page of which some members are changed."""

    def answer(here: Occurrence, request: Request, honest: Response) -> Response:
        if honest.status != 200:
            return honest
        page = json.loads(honest.body)
        changed = {name: change(here, page.get(name)) for name, change in changes.items()}
        return Response(honest.status, honest.headers, drf.dumps({**page, **changed}))

    return Fault(answer)


def elsewhere(here: Occurrence, link: str | None) -> str | None:
    return link and re.sub(r"^http://[^/]+", here.elsewhere.url, link)


@contextlib.contextmanager
def refusing(api: BrokenApi) -> Iterator[str]:
    """Nobody listens."""
    api.close()
    yield api.url
    api.__enter__()


@contextlib.contextmanager
def full(api: BrokenApi) -> Iterator[str]:
    """Nobody accepts, and the queue of those who want to connect is full."""
    api.close()
    port = int(api.url.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield api.url
    api.__enter__()


@contextlib.contextmanager
def unknown(api: BrokenApi) -> Iterator[str]:
    """No name server knows the host."""
    yield "http://nothing.invalid"


def ignored_filters(api: BrokenApi, select: Callable[[dict[str, str]], Any], filters: dict[str, str]) -> Any:
    return select({})


def shrinking(api: BrokenApi, select: Callable[[dict[str, str]], Any], filters: dict[str, str]) -> Any:
    return [] if api.here.struck else select(filters)


def metadata(raw: bytes) -> Callable[[bytes], bytes]:
    """Give these ``metadata`` to a lead."""
    return lambda data: data[:-1] + b',"metadata":' + raw + b"}"


QUICK = {"timeout": 0.3}

FAULTS: dict[str, Fault] = {
    "no fault": Fault(always=True),
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "400 after page 1": refused_after_page_1(400),
    "403 after page 1": refused_after_page_1(403),
    "404 after page 1": refused_after_page_1(404),
    "408": status(408),
    "429 without Retry-After": status(429),
    "429, Retry-After in seconds": status(429, Retry_After=str(ASKED)),
    "429, Retry-After as a date": Fault(throttled_until),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "504": status(504),
    "redirect to another host": Fault(redirected),
    "name cannot be resolved": Fault(site=unknown, always=True),
    "connection refused": Fault(site=refusing),
    "connect time-out": Fault(site=full, extra=QUICK),
    "untrusted certificate": Fault(tls=lambda authority: authority.server(), trusted=False, always=True),
    "certificate for another host": Fault(tls=lambda authority: authority.server("127.0.0.9"), always=True),
    "expired certificate": Fault(tls=lambda authority: authority.server(days=-1), always=True),
    "read time-out": Fault(wire(silent).answer, extra=QUICK),
    "silence in the body": Fault(wire(silent_in_body).answer, extra=QUICK),
    "headers drip": dripping(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "body drips": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "hang-up before headers": wire(nothing),
    "reset before headers": wire(reset),
    "reset in the body": wire(reset_in_body),
    "connection closed in the body": wire(cut),
    "truncated JSON": body(lambda data: data[: len(data) // 2]),
    "truncated gzip": body(lambda data: gzip.compress(data)[:-200], Content_Encoding="gzip"),
    "HTML with status 200": body(lambda data: HTML, Content_Type="text/html"),
    "empty body": body(lambda data: b""),
    "JSON of another shape": body(lambda data: b'{"leads": []}'),
    "next loops": envelope(next=lambda here, link: f"{here.elsewhere.url}/api/leads/?page=1"),
    "next skips pages": envelope(next=lambda here, link: f"{here.elsewhere.url}/api/leads/?page=40"),
    "next is always null": envelope(next=lambda here, link: None),
    "next to another host": envelope(next=elsewhere),
    "next downgraded to http": Fault(tls=lambda authority: authority.server(), always=True),
    "count too high": envelope(count=lambda here, count: 2 * count + 40),
    "count too low": envelope(count=lambda here, count: 0),
    "count is text": envelope(count=lambda here, count: str(count)),
    "a result without an id": envelope(results=lambda here, results: [*results, {"email": "x"}, None, "x"]),
    "page_size capped": Fault(options={"max_page_size": 15}, always=True),
    "page_size ignored": Fault(fixed_size=15, always=True),
    "filter ignored": Fault(select=ignored_filters, always=True),
    "list shrinks to nothing": Fault(select=shrinking, always=True),
    "10 MB page": Fault(lead=metadata(b'{"note": "%s"}' % (b"x" * (10 << 20))), always=True),
    "metadata 100 deep": Fault(lead=metadata(b'{"a":' * 100 + b"1" + b"}" * 100), always=True),
    "metadata 100,000 deep": Fault(lead=metadata(b"[" * 100_000 + b"]" * 100_000), always=True),
    "duplicate keys": Fault(lead=lambda data: data[:-1] + b',"status":"CLOSED"}', always=True),
    "NaN and Infinity": Fault(lead=metadata(b'{"score": NaN, "rate": -Infinity}'), always=True),
    "huge integers": Fault(lead=metadata(b'{"n": %s}' % (b"9" * 5000)), always=True),
    "lone surrogates": Fault(lead=metadata(b'{"name": "\\ud800 half"}'), always=True),
}
