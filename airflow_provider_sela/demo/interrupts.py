"""Whoever ends the demo, by Ctrl-C or otherwise, ends what it has started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heed_signals() -> None:
    """Take a request to end, and a terminal that is closed, for Ctrl-C."""
    for number in _SIGNALS[1:]:
        # As `nohup` leaves it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block.

    :raises KeyboardInterrupt: at the end, if it came.
    """
    came: list[int] = []
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is signal.default_int_handler]
    for number in heeded:
        signal.signal(number, lambda caught, _: came.append(caught))
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.default_int_handler)
        if came:
            raise KeyboardInterrupt
