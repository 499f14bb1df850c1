"""What a read logs of its retries: all that is new, and the rest in numbers."""

from __future__ import annotations

import logging
import threading
import time

from tenacity import RetryCallState

from airflow_provider_sela.http.pacing import retry_after

# Seconds between two lines that differ in nothing but the page.
_INTERVAL = 10.0


class RetryLog:
    """Logs retries of one read, which may come from many threads.

    A throttled server refuses page after page; the same failure at the same attempt is one line in 10
    seconds, which says how many others it stands for.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def log(self, page: int, state: RetryCallState, attempts: int, log: logging.Logger) -> None:
        """Log a retry that is about to be waited for, or count it for a later line.

        :param page: number of the page that was asked for.
        :param attempts: how often a request is sent at most.
        """
        error = str(state.outcome.exception()) if state.outcome else ""
        folded = self._due((error, state.attempt_number))
        if folded is None:
            return
        log.warning(
            "Sela page %d: attempt %d of %d, waiting %.1f s%s; %s%s",
            page,
            state.attempt_number + 1,
            attempts,
            state.upcoming_sleep,
            "" if retry_after(state) is None else " as the server asked",
            error,
            f" (and {folded} more like it since the last such line)" if folded else "",
        )

    def _due(self, kind: tuple[str, int]) -> int | None:
        """How many the next line stands for beside its own retry; None if it is too early for one."""
        now = time.monotonic()
        with self._lock:
            logged, folded = self._lines.get(kind, (float("-inf"), 0))
            if now - logged < _INTERVAL:
                self._lines[kind] = (logged, folded + 1)
                return None
            self._lines[kind] = (now, 0)
            return folded
