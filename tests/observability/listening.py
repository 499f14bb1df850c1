"""A StatsD server: takes what arrives on a port of loopback over UDP, and keeps it."""

from __future__ import annotations

import socket
from typing import Self


class StatsD:
    """Listens from the start, so that nothing is lost before anybody reads; a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def received(self) -> list[str]:
        """Every statistic so far, such as ``airflow.sela.requests,conn_id=sela_default:1|c``."""
        while True:
            try:
                datagram = self._socket.recv(65536)
            except BlockingIOError:
                return self._lines
            self._lines += datagram.decode().splitlines()
