"""The server's clock: the one that all workers share, as far as the ``Date`` of its answers tells it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

# What a Date leaves open: it has whole seconds.
_RESOLUTION_SECONDS = 1.0


class ServerClock:
    """The worker's clock, corrected by the answers of the server.

    A correction is as small as the answers allow, so that clocks which may agree are taken to agree.

    :ivar offset: seconds to add to the worker's clock.
    """

    def __init__(self) -> None:
        self._began, self._clock = datetime.now(UTC), time.monotonic()
        self._least = float("-inf")
        self.offset = 0.0

    @property
    def started(self) -> datetime:
        """When this object was made."""
        return self._began + timedelta(seconds=self.offset)

    @property
    def earliest(self) -> datetime | None:
        """When this object was made, or before; None before an answer told the time."""
        return None if self._least == float("-inf") else self._began + timedelta(seconds=self._least)

    def elapsed(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._clock

    def heard(self, date: int | None, asked: float) -> None:
        """Take an answer that has just come.

        :param date: its ``Date``, microseconds since the epoch; None if it has none.
        :param asked: what :meth:`elapsed` was when it was asked for.
        """
        if date is None:
            return
        server = date / 1e6 - self._began.timestamp()
        least, most = server - self.elapsed(), server + _RESOLUTION_SECONDS - asked
        # A cache's answer is old: the newest Date for its time is the one to go by.
        if least > self._least:
            self._least = least
            self.offset = max(least, min(0.0, most))
