"""A server on raw sockets that misbehaves on purpose.

Each request is answered by the next *act*, the last one over and over. An act gets the connection and the
request; the connection stays open if it returns True.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_TLS_HANDSHAKE = 22


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """Host and port where nobody listens, and nobody else can begin to: the port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@dataclass
class Received:
    """A request as it came: header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def page(self) -> int:
        """Number of the page that was asked for."""
        return int(self.target.partition("page=")[2].partition("&")[0])


@dataclass
class Wire:
    """One connection, as an act sees it."""

    socket: socket.socket
    closing: threading.Event

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Act = Callable[[Wire, Received], bool | None]


class FaultServer:
    """Listens on loopback for as long as the ``with`` block lasts.

    :param acts: what the first, second, … request gets; the last act repeats.
    :param tls: context of a server that speaks https.
    :param host: address of loopback.
    :ivar acts: the acts still to come.
    :ivar requests: what came in, in order.
    :ivar connections: number of TCP connections accepted.
    """

    def __init__(self, *acts: Act, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.acts = list(acts)
        self._tls = tls
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self.requests: list[Received] = []
        self.connections = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=64)
        self.port: int = self._listener.getsockname()[1]
        place = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{place}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def connection(self, **extra: Any) -> dict[str, Any]:
        """The Airflow connection to this server."""
        return {"conn_type": "sela", "host": self.url, "password": "fault-token", "extra": extra}

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A client that goes away in the middle is what many of these tests are about.
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = handshake(connection, self._tls)
            with connection:
                wire = Wire(connection, self._closing)
                while (request := read_request(connection)) is not None:
                    if not self._next()(wire, self._note(request)):
                        return

    def _note(self, request: Received) -> Received:
        with self._lock:
            self.requests.append(request)
        return request

    def _next(self) -> Act:
        with self._lock:
            return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


def handshake(connection: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
    """The server's side of a TLS handshake; a client that is turned away can read why."""
    wrapped = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    try:
        wrapped.do_handshake()
    except ssl.SSLError:
        # Closed with the client's first request unread, it would reset, and the reason were lost.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(wrapped, socket.SHUT_WR)
            wrapped.settimeout(2)
            while socket.socket.recv(wrapped, 65536):
                pass
        wrapped.close()
        raise
    return wrapped


def read_request(connection: socket.socket) -> Received | None:
    """The next request without its body, None when the client is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
        if data[0] == _TLS_HANDSHAKE:
            connection.sendall(http(400, b""))
            return None
    head, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = head.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return Received(method, target, {name.lower(): value for name, value in headers.items()})


def page_body(
    leads: Iterable[Mapping[str, Any]],
    *,
    count: int | None = None,
    next: str | None = None,  # noqa: A002
) -> bytes:
    """One page as the API writes it."""
    results = list(leads)
    return json.dumps(
        {
            "count": len(results) if count is None else count,
            "next": next,
            "previous": None,
            "results": results,
        }
    ).encode()


def http(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer; ``headers`` may contradict the body."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{text}\r\n".encode() + body


def reply(status: int = 200, body: bytes | None = None, **headers: str) -> Act:
    """Answer and keep the connection; ``Retry_After="1"`` becomes the header ``Retry-After``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = http(status, page_body([]) if body is None else body, named)

    def act(wire: Wire, request: Received) -> bool:
        wire.send(data)
        return True

    return act


def pages(leads: list[dict[str, Any]], size: int, link: str = "http://127.0.0.1/api/leads/?page={}") -> Act:
    """An honest list in pages of ``size``; ``link`` is how ``next`` is written."""

    def act(wire: Wire, request: Received) -> bool:
        start = (request.page - 1) * size
        following = link.format(request.page + 1) if start + size < len(leads) else None
        wire.send(http(200, page_body(leads[start : start + size], count=len(leads), next=following)))
        return True

    return act


def hang_up(wire: Wire, request: Received) -> None:
    """Close without a byte."""


def reset(wire: Wire, request: Received) -> None:
    """Reset without a byte."""
    wire.reset()


def truncated(wire: Wire, request: Received) -> None:
    """Announce a body and close after half of it."""
    body = page_body([{"id": 1}])
    wire.send(http(200, body)[: -len(body) // 2])


def truncated_unannounced(wire: Wire, request: Received) -> None:
    """Send half a body that only the end of the connection delimits."""
    body = page_body([{"id": 1}])
    wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body[: len(body) // 2])


def truncated_chunked(wire: Wire, request: Received) -> None:
    """Close after the first of several chunks."""
    wire.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"count":1\r\n')


def truncated_gzip(wire: Wire, request: Received) -> bool:
    """Send half a gzip stream as if it were all."""
    packed = gzip.compress(page_body({"id": number, "status": f"s{number * 7919}"} for number in range(200)))
    wire.send(http(200, packed[: len(packed) // 2], {"Content-Encoding": "gzip"}))
    return True


def not_gzip(wire: Wire, request: Received) -> bool:
    """Claim gzip and send something else."""
    wire.send(http(200, page_body([]), {"Content-Encoding": "gzip"}))
    return True


def reset_in_body(wire: Wire, request: Received) -> None:
    """Reset after the first bytes of the body."""
    body = page_body([{"id": 1}])
    wire.send(http(200, body)[: -len(body) // 2])
    time.sleep(0.05)
    wire.reset()


def silent(wire: Wire, request: Received) -> None:
    """Say nothing until the server closes."""
    wire.closing.wait(30)


def silent_in_body(wire: Wire, request: Received) -> None:
    """Stop in the middle of the body without closing."""
    body = page_body([{"id": 1}])
    wire.send(http(200, body)[: -len(body) // 2])
    wire.closing.wait(30)


def drip(interval: float) -> Act:
    """Send the body byte by byte, each well within the client's time-out."""

    def act(wire: Wire, request: Received) -> None:
        wire.send(http(200, b"", {"Content-Length": "100000"}))
        while not wire.closing.wait(interval):
            wire.send(b" ")

    return act


def drip_headers(interval: float) -> Act:
    """Send one header that never ends, byte by byte, each well within the client's time-out."""

    def act(wire: Wire, request: Received) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not wire.closing.wait(interval):
            wire.send(b"x")

    return act


def broken_record(wire: Wire, request: Received) -> None:
    """Send half a body over TLS, then bytes that are no TLS."""
    body = page_body([{"id": 1}])
    wire.send(http(200, body)[: -len(body) // 2])
    with socket.socket(fileno=os.dup(wire.socket.fileno())) as below:
        below.sendall(b"\x00" * 64)
    wire.closing.wait(30)
