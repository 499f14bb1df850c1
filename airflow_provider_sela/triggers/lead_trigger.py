"""Waits for one lead in the triggerer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sela.api.parameters import (
    Reader,
    boolean,
    check_settled,
    from_zero,
    instant,
    optional,
    read_parameters,
    some_texts,
    text,
)
from airflow_provider_sela.api.request import filter_text
from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.triggers.failure_limit import FailureLimit
from airflow_provider_sela.triggers.jitter import jittered
from airflow_provider_sela.triggers.wait_log import log_wait

if TYPE_CHECKING:
    from airflow_provider_sela.http.async_transport import AsyncTransport
    from airflow_provider_sela.triggers.polling import Poller, Waiter

#: A shorter interval would be one request after the other.
_MIN_INTERVAL_SECONDS = 0.1
#: A scheduler that hears of a deferral and of its end in one go takes the task for lost, and retries it (seen
#: with 3.3 and LocalExecutor); with the usual poke_interval it has this long to hear of the first.
_MIN_FIRST_PAUSE_SECONDS = 5.0


class SelaLeadTrigger(BaseTrigger):
    """Fires once: when the lead is there, when the deadline has passed, or when waiting makes no sense.

    The event names ids, never another field of a lead. Those of a time-out have a status that is not waited
    for; they are null where nobody has looked::

        {"status": "found", "ids": [28013], "deadline": 1767225600.0}
        {"status": "timeout", "ids": [28013]}
        {"status": "failed", "error": "SelaAuthenticationError", "message": "…"}

    :param external_id: the lead's id in the customer's own CRM; matched exactly.
    :param statuses: wait until the lead has one of these; None for any.
    :param sela_conn_id: Airflow connection of type ``sela``.
    :param poke_interval: seconds between two looks, with 10 % of jitter.
    :param exponential_backoff: double the interval after each look.
    :param max_wait: longest interval in seconds when it is doubled; None for no bound.
    :param max_failures: failures in a row that are waited out; the next one ends the wait.
    :param deadline: when to give up, seconds since the epoch; None: never.
    :param retry_at: do not ask before this moment, seconds since the epoch: the server asked for it.
    :raises SelaRequestError: an argument cannot be read; the message names it.
    """

    #: How each argument is read, by its name.
    readers: Mapping[str, Reader] = {
        "external_id": filter_text,
        "statuses": optional(some_texts),
        "sela_conn_id": text,
        "poke_interval": instant,
        "exponential_backoff": boolean,
        "max_wait": optional(instant),
        "max_failures": from_zero,
        "deadline": optional(instant),
        "retry_at": optional(instant),
    }

    def __init__(
        self,
        *,
        external_id: str,
        statuses: Sequence[str] | None = None,
        sela_conn_id: str = "sela_default",
        poke_interval: float = 60,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        max_failures: int = 10,
        deadline: float | None = None,
        retry_at: float | None = None,
    ) -> None:
        super().__init__()
        self.external_id = external_id
        self.statuses = statuses
        self.sela_conn_id = sela_conn_id
        self.poke_interval = poke_interval
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.max_failures = max_failures
        self.deadline = deadline
        self.retry_at = retry_at
        check_settled(self, *self.readers)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and plain-data arguments."""
        return "airflow_provider_sela.triggers.leads.SelaLeadTrigger", {
            "external_id": self.external_id,
            "statuses": self.statuses,
            "sela_conn_id": self.sela_conn_id,
            "poke_interval": self.poke_interval,
            "exponential_backoff": self.exponential_backoff,
            "max_wait": self.max_wait,
            "max_failures": self.max_failures,
            "deadline": self.deadline,
            "retry_at": self.retry_at,
        }

    def __repr__(self) -> str:
        return f"<SelaLeadTrigger sela_conn_id={self.sela_conn_id!r} poke_interval={self.poke_interval}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield one event."""
        self._waiter: Waiter | None = None
        try:
            # Where the triggerer rendered them, nobody has read them before.
            read_parameters(self)
            remaining = None if self.deadline is None else max(0.0, self.deadline - time.time())
            async with asyncio.timeout(remaining):
                payload = await self._wait()
        except TimeoutError:
            payload = {"status": "timeout", "ids": self._waiter.others if self._waiter else None}
        except SelaError as error:
            payload = {"status": "failed", "error": type(error).__name__, "message": str(error)}
        yield TriggerEvent(payload)

    async def _wait(self) -> dict[str, Any]:
        # A first import of httpx takes longer than a trigger may hold up the loop.
        await asyncio.to_thread(import_module, "airflow_provider_sela.triggers.polling")
        from airflow_provider_sela.triggers.polling import Waiter, shared_poller

        waiter = self._waiter = Waiter(
            self.external_id,
            None if self.statuses is None else frozenset(self.statuses),
            max(self.poke_interval, _MIN_INTERVAL_SECONDS),
        )
        failures = FailureLimit(self.max_failures)
        # The worker has just looked. Triggers that start together look at moments of their own.
        first = self._interval(1)
        pause = random.uniform(min(first / 2, _MIN_FIRST_PAUSE_SECONDS), first)  # noqa: S311
        pause = max(pause, (self.retry_at or 0) - time.time())
        async with AsyncExitStack() as stack:
            shared: tuple[Poller, AsyncTransport] | None = None
            looks = 0
            while True:
                await waiter.sleep(pause)
                looks += 1
                pause = jittered(self._interval(looks + 1), early=True)
                try:
                    if shared is None:
                        shared = await stack.enter_async_context(shared_poller(waiter, self.sela_conn_id))
                    poller, transport = shared
                    if await poller.poll(waiter, transport, self.log):
                        break
                    failures.succeeded()
                except SelaError as error:
                    pause = failures.failed(error, pause, self.log)
                log_wait(
                    self.log, looks, statuses=self.statuses, deadline=self.deadline, others=waiter.others
                )
        return {"status": "found", "ids": sorted(waiter.found), "deadline": self.deadline}

    def _interval(self, attempt: int) -> float:
        seconds = max(self.poke_interval, _MIN_INTERVAL_SECONDS)
        if self.exponential_backoff:
            # As the interval of Airflow's own sensors, which begins to double after the second look.
            seconds *= 2 ** min(max(attempt - 2, 0), 32)
            if self.max_wait is not None:
                seconds = min(seconds, self.max_wait)
        return seconds
