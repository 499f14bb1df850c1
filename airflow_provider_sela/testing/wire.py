"""HTTP/1.1 over real sockets: what comes in becomes a :class:`Request`, a :class:`Response` goes out."""

from __future__ import annotations

import contextlib
import email.utils
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

log = logging.getLogger(__name__)

Send = Callable[[socket.socket, bytes], None]

# A body is read to keep the connection usable, but nothing here needs one: above this, hang up instead.
_MAX_REQUEST_BODY = 1 << 20
_JOIN_SECONDS = 5.0


@dataclass(slots=True)
class Request:
    """One request as the server saw it.

    :param method: ``GET``, ``HEAD``, …
    :param path: decoded, without the query: ``/api/leads/``.
    :param query: parameters, decoded; the last one wins where one is repeated, as in Django.
    :param headers: names in lower case; values of a repeated header are joined with a comma.
        Not in the repr, because the token is in there.
    :param client: address and port of the other end.
    :param status: of the answer; 0 until there is one.
    :param query_string: the query as it came.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    client: tuple[str, int]
    status: int = 0
    query_string: str = ""


@dataclass(slots=True)
class Response:
    """One answer.

    ``Date``, ``Server`` and ``Content-Length`` are added where ``headers`` has none of that name. A
    ``Content-Length`` that does not fit the body goes out as it is, and the connection is closed after it.

    :param send: writes the answer instead of the server, for faults that plain HTTP cannot express. It
        gets the socket and the bytes that would have been sent (status line, headers, body) and may
        send any part of them, wait, or reset; the server closes the connection when it returns.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    send: Send | None = None

    def header(self, name: str) -> str | None:
        """Return a header by its name in any case."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)


class Listener(ThreadingHTTPServer):
    """A listening socket with one daemon thread for each connection, all of them gone after :meth:`stop`."""

    daemon_threads = True
    # The default of 5 makes the kernel drop the connections of a client that opens many at once.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        self.accepted = 0
        self._guard = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, _Handler)
        self._acceptor = threading.Thread(
            target=self.serve_forever, args=(0.05,), daemon=True, name=f"sela-api-{self.server_port}"
        )

    def server_bind(self) -> None:
        # HTTPServer.server_bind asks the resolver for a host name, which takes seconds where there is none.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def start(self) -> None:
        """Serve from a thread until :meth:`stop`."""
        self._acceptor.start()

    def stop(self) -> None:
        """Close the listening socket and every connection, and wait for their threads.

        Up to five seconds, that is: a ``send`` that sleeps longer is left to its daemon thread.
        """
        self.shutdown()
        self._acceptor.join()
        self.server_close()
        with self._guard:
            still_open = dict(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in still_open.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
            name=f"sela-api-{self.server_port}-{client_address[1]}",
        )
        with self._guard:
            self.accepted += 1
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        # A plain close: the inherited one says goodbye first (SHUT_WR), which would turn the reset that a
        # `send` has prepared with SO_LINGER into an orderly end.
        request.close()
        with self._guard:
            self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong on one connection, unless it merely broke off."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a connection failed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener
    client_address: tuple[str, int]

    def _serve(self) -> None:
        self._skip_body()
        response = self.server.answer(self._request())
        data = self._encode(response)
        if response.send is not None:
            self.close_connection = True
            response.send(self.connection, data)
        else:
            self.wfile.write(data)

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = do_TRACE = _serve  # noqa: N815

    def _skip_body(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _MAX_REQUEST_BODY:
            self.close_connection = True
        elif length != "0":
            self.rfile.read(int(length))

    def _request(self) -> Request:
        path, _, query_string = self.path.partition("?")
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        # The request line arrives as Latin-1 text; the bytes below it are UTF-8 wherever they are text.
        text = query_string.encode("latin-1").decode("utf-8", "replace")
        return Request(
            method=self.command,
            path=unquote(path),
            query=dict(parse_qsl(text, keep_blank_values=True)),
            headers=headers,
            client=self.client_address[:2],
            query_string=query_string,
        )

    def _encode(self, response: Response) -> bytes:
        body_size = str(len(response.body))
        announced = response.header("Content-Length")
        if announced not in (None, body_size) or response.header("Connection") == "close":
            self.close_connection = True
        headers = dict(response.headers)
        if announced is None and response.header("Transfer-Encoding") is None:
            headers["Content-Length"] = body_size
        if response.header("Date") is None:
            headers["Date"] = email.utils.formatdate(usegmt=True)
        if response.header("Server") is None:
            headers["Server"] = "sela-testing"
        if self.close_connection:
            headers["Connection"] = "close"
        reason = responses.get(response.status, "")
        head = f"HTTP/1.1 {response.status} {reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return head.encode("latin-1") + b"\r\n" + (b"" if self.command == "HEAD" else response.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write no access log: ``SelaApi.requests`` has every request."""
