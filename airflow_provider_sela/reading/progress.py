"""How far a long read is, in a log line now and then."""

from __future__ import annotations

import logging
import time

# Seconds between two lines.
_INTERVAL = 10.0


class Progress:
    """Logs at most one line every 10 seconds, so that a short read logs nothing.

    :param log: where the line goes.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._started = self._logged = time.monotonic()

    def log_if_due(self, *, pages: int, leads: int, expected: int | None) -> None:
        """Log a line if it is time for one.

        :param pages: requests so far.
        :param leads: distinct leads so far.
        :param expected: leads in the whole list, as the server counts them.
        """
        now = time.monotonic()
        if now - self._logged < _INTERVAL:
            return
        self._logged = now
        of = "" if expected is None else f" of {expected}"
        if not leads:
            self._log.info("Sela: %d pages, no lead%s so far", pages, of)
            return
        rate = leads / (now - self._started)
        left = f", about {(expected - leads) / rate:.0f} s left" if expected and expected > leads else ""
        self._log.info("Sela: %d pages, %d%s leads, %.0f leads/s%s", pages, leads, of, rate, left)
