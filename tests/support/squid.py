"""Squid, the proxy that many companies run, on loopback: open, or closed for what it is told."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.servers import START_WITHIN, account, binary

_CONFIGURATION = """
http_port 127.0.0.1:{port}
{rules}
cache deny all
pid_filename none
cache_log /dev/null
access_log stdio:{folder}/access.log
shutdown_lifetime 0 seconds
"""


class Squid:
    """Serves for as long as the ``with`` block lasts.

    :param rules: lines of its configuration that say who may do what.
    :ivar url: of the proxy.
    """

    def __init__(self, rules: str = "http_access allow all") -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder = Path(tempfile.mkdtemp(prefix="sela-squid-"))
        self._settings = _CONFIGURATION.format(port=self._port, rules=rules, folder=self._folder)

    def __enter__(self) -> Self:
        program, user = binary("squid", "squid"), account("proxy")
        if user is not None:
            shutil.chown(self._folder, user)
        (self._folder / "squid.conf").write_text(self._settings)
        command = [program, "-N", "-f", str(self._folder / "squid.conf")]
        self._server = subprocess.Popen(
            command, user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_WITHIN
        while not self._answers():
            assert self._server.poll() is None, f"squid ended with {self._server.returncode}"
            assert time.monotonic() < deadline, "squid does not answer"
            time.sleep(0.05)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), 1).close()
            return True
        return False

    def served(self, count: int) -> list[str]:
        """Result and status of the requests so far, such as ``TCP_TUNNEL/200``.

        :param count: how many there must be; Squid writes each when it has ended.
        """
        deadline = time.monotonic() + 10
        while True:
            lines = (self._folder / "access.log").read_text().splitlines()
            # A connection without a request is the one that asked whether it listens.
            found = [result for result in (line.split()[3] for line in lines) if result != "NONE_NONE/000"]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)
