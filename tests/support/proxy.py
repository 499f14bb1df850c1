"""A proxy on loopback: forwards http requests and tunnels https, with or without credentials."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from typing import Self
from urllib.parse import urlsplit

from tests.support.faults import Received, handshake, read_request


class Proxy:
    """Serves for as long as the ``with`` block lasts.

    :param credentials: ``user:password`` that clients must show; None for an open proxy.
    :param tls: context of a proxy that is spoken to in https.
    :ivar requests: what clients asked the proxy itself.
    """

    def __init__(self, credentials: str | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[Received] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self._tls is not None:
                client = handshake(client, self._tls)
            request = read_request(client)
            if request is None:
                return
            self.requests.append(request)
            if self._wanted not in (None, request.headers.get("proxy-authorization")):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif request.method == "CONNECT":
                host, _, port = request.target.partition(":")
                with socket.create_connection((host, int(port))) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    relay(client, server)
            else:
                self._forward(client, request)

    def _forward(self, client: socket.socket, request: Received) -> None:
        target = urlsplit(request.target)
        with socket.create_connection((target.hostname, target.port)) as server:
            lines = [f"{request.method} {target.path}?{target.query} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in request.headers.items() if "proxy" not in name]
            server.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            relay(client, server)


def relay(client: socket.socket, server: socket.socket) -> None:
    """Copy both ways until one side ends."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=copy, args=(server, client), daemon=True)
    back.start()
    copy(client, server)
    back.join(5)
