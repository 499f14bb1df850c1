"""A client that sends exactly what it is told to."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 10.0
TOKEN = "sela-test-token"


@dataclass
class Answer:
    """Status, headers with names in lower case (a repeated one shows both values), and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def ids(self) -> list[int]:
        """Return the ids of the leads on this page."""
        return [lead["id"] for lead in self.json()["results"]]


def connect(url: str) -> http.client.HTTPConnection:
    """Open nothing yet: the connection is made by the first request, and kept."""
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)


def ask(
    connection: http.client.HTTPConnection,
    target: str = "/api/leads/",
    *,
    method: str = "GET",
    token: str | None = TOKEN,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Send one request with the token, unless it is None, and read the answer to its end."""
    sent = {"Authorization": f"Token {token}"} if token is not None else {}
    connection.request(method, target, body=body, headers=sent | (headers or {}))
    return _read(connection.getresponse())


def ask_once(url: str, target: str = "/api/leads/", **how: Any) -> Answer:
    """Send one request over a connection of its own; ``how`` as for :func:`ask`."""
    with closing(connect(url)) as connection:
        return ask(connection, target, **how)


def ask_raw(url: str, target: bytes = b"/api/leads/", more: str = "") -> Answer:
    """Send what no well-behaved client sends, over a connection of its own.

    ``target`` goes out unescaped; ``more`` is header lines, each with its end.
    """
    at = urlsplit(url)
    head = f"Host: {at.netloc}\r\nAuthorization: Token {TOKEN}\r\nConnection: close\r\n{more}\r\n"
    with socket.create_connection((str(at.hostname), int(at.port or 80)), timeout=TIMEOUT) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\n" + head.encode())
        with http.client.HTTPResponse(connection) as response:
            response.begin()
            return _read(response)


def _read(response: http.client.HTTPResponse) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known} and {value}"
    return Answer(response.status, headers, response.read())
