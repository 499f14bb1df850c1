"""What the demo says: at most 20 lines of 80 columns."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_COLUMNS = 80


class Terminal:
    """Standard output, whatever it is and whatever it can encode."""

    def __init__(self) -> None:
        # Where a line is broken in two, only the second would be written over. The variable COLUMNS may be of
        # another terminal.
        self._live = sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns >= _COLUMNS
        self._encoding = sys.stdout.encoding
        self._tick, self._cross = "\N{CHECK MARK}", "\N{BALLOT X}"
        try:
            f"{self._tick}{self._cross}".encode(self._encoding)
        except UnicodeEncodeError:
            self._tick, self._cross = "ok", "--"

    def say(self, text: str = "") -> None:
        """Print a line, at once."""
        print(text.encode(self._encoding, "backslashreplace").decode(self._encoding), flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is done for as long as the block lasts, then tick it, with its seconds.

        :param text: at most 70 characters, so that it stays on its line.
        """
        started, mark = time.monotonic(), self._cross
        if self._live:
            print(f"  {text} ...", end="", flush=True)
        try:
            yield
            mark = self._tick
        finally:
            line = f"{mark} {text} ({time.monotonic() - started:.0f} s)"
            self.say(f"\r{line:<{_COLUMNS - 1}}" if self._live else line)
