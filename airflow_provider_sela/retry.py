"""Whether Airflow should run a failed task again, and when (from Airflow 3.3 on)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.moments import duration
from airflow_provider_sela.exceptions import SelaError, SelaRateLimitError

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
    except ImportError:  # pragma: no cover (Airflow below 3.3 has no retry policies)
        # The class can be imported and made, and nothing asks it.
        RetryDecision, RetryPolicy = None, object


class SelaRetryPolicy(RetryPolicy):
    """Decides by what Sela answered: wait as long as the server asked, back off, or give up at once.

    ::

        SelaLeadsToSqlOperator(..., retries=5, retry_policy=SelaRetryPolicy())

    =============================================  =====================================================
    the task failed with                           then
    =============================================  =====================================================
    an answer with ``Retry-After`` (429, 503)      retry after exactly that long, a day at most
    429, 5xx, time-out, dropped connection         retry; the delay doubles with each try, with jitter
    a broken answer, an incomplete read            the same
    401, 403, another 4xx, a wrong argument        fail, no retry
    anything else                                  as the task says (``retries``, ``retry_delay``)
    =============================================  =====================================================

    These waits come on top of the retries of single requests inside a task, and hold no worker slot.
    Operators of this package already fail at once where a retry cannot help, on every Airflow. Below Airflow
    3.3 operators know no ``retry_policy`` argument: leave it out there, and ``retry_delay`` applies.

    :param first_delay: bound of the first delay; default: 30 s, as the requests inside the task have been
        tried again for about that long already.
    :param max_delay: bound of all delays that the server did not ask for; default: one hour.
    :raises SelaRequestError: one of them is no length of time; the message names it.
    """

    def __init__(
        self,
        first_delay: timedelta = timedelta(seconds=30),
        max_delay: timedelta = timedelta(hours=1),
    ) -> None:
        self.first_delay = duration("first_delay", first_delay)
        self.max_delay = duration("max_delay", max_delay)

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,
    ) -> RetryDecision:
        """Decide; Airflow calls this on the worker.

        :param exception: what the task failed with.
        :param try_number: number of the failed try, from 1.
        :param max_tries: not used: Airflow itself ends after ``retries``.
        :param context: not used.
        """
        from airflow_provider_sela.api.responses import LONGEST_RETRY_AFTER

        if not isinstance(exception, SelaError):
            return RetryDecision.default()
        kind = type(exception).__name__
        if not exception.retryable:
            return RetryDecision.fail(f"{kind}: a retry cannot help")
        if exception.retry_after is not None:
            seconds = min(exception.retry_after, LONGEST_RETRY_AFTER)
            return RetryDecision.retry(
                timedelta(seconds=seconds), f"{kind}: the server asked for {seconds:g} s"
            )
        bound = min(self.first_delay * 2 ** min(try_number - 1, 32), self.max_delay)
        # Half of it is jitter: tasks that failed together do not come back together.
        delay = bound * random.uniform(0.5, 1)  # noqa: S311
        what = "rate limit" if isinstance(exception, SelaRateLimitError) else "failure of the moment"
        return RetryDecision.retry(delay, f"{kind}: {what}, back off")

    def serialize(self) -> dict[str, Any]:
        """Plain data for :meth:`deserialize`."""
        return {
            "first_delay": self.first_delay.total_seconds(),
            "max_delay": self.max_delay.total_seconds(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SelaRetryPolicy:
        """The policy that :meth:`serialize` wrote."""
        return cls(timedelta(seconds=data["first_delay"]), timedelta(seconds=data["max_delay"]))


@contextmanager
def failing_fast() -> Iterator[None]:
    """Turn errors that a retry cannot mend into ``AirflowFailException``, which Airflow does not retry."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    try:
        yield
    except SelaError as error:
        if error.retryable:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from None
