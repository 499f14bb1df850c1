"""A program at a terminal of 80 columns and 24 lines."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

COLUMNS, LINES = 80, 24


class Terminal:
    """A program that runs at a terminal, for as long as the ``with`` block lasts at most.

    :param command: the program and its arguments.
    :param cwd: the folder that it starts in.
    :param environment: all its variables.
    :param columns: how wide the terminal is.
    :ivar output: what it has written so far.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        cwd: Path,
        environment: Mapping[str, str],
        *,
        columns: int = COLUMNS,
    ) -> None:
        self._screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            # Ctrl-C reaches those whose terminal this is.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        os.close(self._screen)

    def read_until(self, text: str, seconds: float = 240) -> None:
        """Wait until the program has written this.

        :raises AssertionError: it ended, or did not write it in time.
        """
        deadline = time.monotonic() + seconds
        while text not in self.output:
            if not self._read(deadline):
                raise AssertionError(f"no {text!r} in:\n{self.output}")

    def wait(self, seconds: float = 240) -> int:
        """Wait for the end of the program; returns its status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(1, deadline - time.monotonic()))

    def press(self, keys: str) -> None:
        """Type, such as ``\\x03`` for Ctrl-C."""
        os.write(self._screen, keys.encode())

    @property
    def rows(self) -> list[str]:
        """The lines of the terminal that the output takes."""
        rows = []
        for line in self.output.replace("\r\n", "\n").rstrip("\n").split("\n"):
            shown = ""
            for part in line.split("\r"):
                shown = part + shown[len(part) :]
            shown = shown.rstrip()
            rows += [shown[at : at + COLUMNS] for at in range(0, max(1, len(shown)), COLUMNS)]
        return rows

    def _read(self, deadline: float) -> bool:
        """Read what there is; whether more may come."""
        ready, _, _ = select.select([self._screen], [], [], max(0, deadline - time.monotonic()))
        # Linux answers with an error when nobody holds the other end any more.
        with contextlib.suppress(OSError):
            if ready and (data := os.read(self._screen, 65536)):
                self.output += data.decode(errors="replace")
                return True
        return False
