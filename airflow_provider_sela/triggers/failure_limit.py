"""Which failures a wait lives through, and for how many in a row."""

from __future__ import annotations

import logging

from airflow_provider_sela.exceptions import SelaError, SelaUnavailableError


class Patience:
    """Counts failures in a row.

    :param limit: so many are waited out; the next one is raised.
    :param failures: failures in a row so far.
    """

    def __init__(self, limit: int, failures: int = 0) -> None:
        self.limit = limit
        self.failures = failures

    def succeeded(self) -> None:
        """Begin to count anew."""
        self.failures = 0

    def failed(self, error: SelaError, pause: float, log: logging.Logger) -> float:
        """Seconds until the next look: ``pause``, or what the server asked for if that is longer.

        :raises SelaError: the same error, if waiting does not mend it or the limit is exceeded.
        """
        self.failures += 1
        if not error.retryable or self.failures > self.limit:
            raise error
        if isinstance(error, SelaUnavailableError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        log.warning(
            "%s; failure %d in a row, up to %d are waited out; next look in %.1f s",
            error,
            self.failures,
            self.limit,
            pause,
        )
        return pause
