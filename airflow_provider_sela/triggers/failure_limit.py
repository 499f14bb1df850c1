"""Which failures a wait lives through, and for how many in a row."""

from __future__ import annotations

import logging

from airflow_provider_sela.exceptions import SelaError


class FailureLimit:
    """Counts failures in a row.

    :param limit: so many are waited out; the next one is raised.
    :ivar in_a_row: failures since the last success.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_a_row = 0

    def succeeded(self) -> None:
        """Begin to count anew."""
        self.in_a_row = 0

    def failed(self, error: SelaError, pause: float, log: logging.Logger) -> float:
        """Seconds until the next look: ``pause``, or what the server asked for if that is longer.

        :raises SelaError: the same error, if waiting does not mend it or the limit is exceeded.
        """
        self.in_a_row += 1
        if not error.retryable or self.in_a_row > self.limit:
            raise error
        pause = max(pause, error.retry_after or 0.0)
        log.warning(
            "%s; failure %d in a row, up to %d are waited out; next look in %.1f s",
            error,
            self.in_a_row,
            self.limit,
            pause,
        )
        return pause
