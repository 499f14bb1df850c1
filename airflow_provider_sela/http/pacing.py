"""When the next request may be sent, without sleeping: the drivers sleep, each in its own way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from airflow_provider_sela.exceptions import SelaError, SelaResponseError, SelaUnavailableError

# Seconds. Longer waits belong to the retries of the task, which hold no worker slot.
_LONGEST_BACKOFF = 30.0


class Pacer:
    """One budget of requests for everybody who shares a connection, in threads or in coroutines.

    :param requests_per_second: cap on the rate; None for no cap.
    """

    def __init__(self, requests_per_second: float | None) -> None:
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._next = 0.0
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Book the next free moment; returns the seconds until then."""
        with self._lock:
            moment = max(now, self._next, self._paused_until)
            self._next = moment + self._interval
            return moment - now

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody send for so long: the server asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, now + seconds)

    def paused(self, now: float) -> float:
        """Seconds until a pause ends, 0 if there is none."""
        return max(0.0, self._paused_until - now)

    def waits(self) -> Iterator[float]:
        """Seconds to sleep before the next request, one wait after the other."""
        wait = self.reserve(time.monotonic())
        while wait > 0:
            yield wait
            # Where the server asked for a pause meanwhile, queue again: not all may start when it ends.
            now = time.monotonic()
            wait = self.reserve(now) if self.paused(now) else 0.0


class RetryBudget:
    """Seconds that all retries of one read may wait together."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._lock = threading.Lock()

    def take(self, seconds: float) -> bool:
        """Spend, if there is enough."""
        with self._lock:
            if seconds > self.left:
                return False
            self.left -= seconds
            return True


def retry_after(state: RetryCallState) -> float | None:
    """Seconds to wait that the server asked for when an attempt failed."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, SelaError) else None


def retry_options(
    max_attempts: int, budget: RetryBudget, before_sleep: Callable[[RetryCallState], None]
) -> dict[str, Any]:
    """Arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying`` alike.

    A server that names a time in ``Retry-After`` is waited for exactly that long; otherwise the wait is
    random between 0 and an exponentially growing bound ("full jitter"), so that clients that failed together
    do not come back together.
    """
    backoff = wait_random_exponential(multiplier=1, max=_LONGEST_BACKOFF)

    def wait(state: RetryCallState) -> float:
        asked = retry_after(state)
        return backoff(state) if asked is None else asked

    attempts = stop_after_attempt(max_attempts)

    def stop(state: RetryCallState) -> bool:
        return attempts(state) or not budget.take(state.upcoming_sleep)

    return {
        "retry": retry_if_exception_type((SelaUnavailableError, SelaResponseError)),
        "wait": wait,
        "stop": stop,
        "before_sleep": before_sleep,
        "reraise": True,
    }
