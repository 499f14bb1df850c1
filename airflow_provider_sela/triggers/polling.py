"""Many waiters, few requests: what the triggers of one connection in one process ask together.

Each waiter polls once in an interval. Its poll is a query for its own lead (a point query), or relies on one
reading of the newest end of the whole list, made by whichever waiter polls first and good for all. A lead
found in such a reading is an answer; a lead not found is one only if the readings have followed the newest
end without a gap since the waiter's last point query, and at most :data:`POLLS_PER_POINT_QUERY` times in a
row: the list's order is observed, not documented.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from airflow_provider_sela.api.leads import Lead, has_external_id
from airflow_provider_sela.api.request import external_id_filter
from airflow_provider_sela.api.walk import Walk
from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.http.async_transport import AsyncTransport, shared_transport
from airflow_provider_sela.reading.plain_walk import read_pages
from airflow_provider_sela.triggers.newest import NewestEnd

#: A waiter asks for its own lead at least once in so many polls, whatever the shared reading says.
POLLS_PER_POINT_QUERY = 10
#: Below so many waiters, their point queries are as few as the shared readings would be.
MIN_WAITERS_TO_SHARE = 5


@dataclass(eq=False)
class Waiter:
    """Somebody who waits for a lead.

    :param external_id: exactly this one.
    :param statuses: one of these, None for any.
    :param interval: seconds between two polls.
    :ivar found: ids of matching leads.
    :ivar others: ids of leads that match but for their status, by the last point query; None before it.
    :ivar queried_at: when the last point query began; None before the first.
    :ivar polls_since_query: polls since then that relied on the shared reading.
    :raises SelaRequestError: ``external_id`` is one that the API cannot be asked for.
    """

    external_id: str = field(repr=False)
    statuses: frozenset[str] | None
    interval: float
    found: set[int] = field(default_factory=set)
    others: list[int] | None = None
    queried_at: float | None = None
    polls_since_query: int = 0
    _answered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __post_init__(self) -> None:
        self.filters = external_id_filter(self.external_id)
        self.external_id = self.filters["external_id"]

    def wants(self, lead: Lead) -> bool:
        """Whether this is the lead that is waited for."""
        return has_external_id(lead, self.external_id) and (
            self.statuses is None or lead.get("status") in self.statuses
        )

    def answer(self, lead: Lead) -> None:
        """Take a lead that somebody read; wakes the waiter if it is the one."""
        if self.wants(lead):
            self.found.add(lead["id"])
            self._answered.set()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the next poll, or until there is an answer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._answered.wait()


class Poller:
    """The waiters of one connection on one event loop."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[Waiter]] = defaultdict(set)
        self._size = 0
        self._end = NewestEnd()
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._read = False
        self._followed_since = float("inf")

    def add(self, waiter: Waiter) -> None:
        """Let a waiter take part."""
        self._waiters[waiter.external_id].add(waiter)
        self._size += 1

    def remove(self, waiter: Waiter) -> None:
        """Let a waiter go."""
        self._waiters[waiter.external_id].discard(waiter)
        self._size -= 1
        if not self._waiters[waiter.external_id]:
            del self._waiters[waiter.external_id]

    async def poll(self, waiter: Waiter, transport: AsyncTransport, log: logging.Logger) -> bool:
        """Whether the lead was found.

        :raises SelaError: a request failed; it is not tried again before the next poll.
        """
        shared = self._size >= MIN_WAITERS_TO_SHARE and not self._end.unordered
        if shared:
            await self._read_end(waiter.interval / 2, transport, log)
        if waiter.found:
            return True
        if shared and waiter.polls_since_query < POLLS_PER_POINT_QUERY - 1 and self._covers(waiter):
            waiter.polls_since_query += 1
            return False
        await self._query(waiter, transport, log)
        return bool(waiter.found)

    def _covers(self, waiter: Waiter) -> bool:
        """Whether the last reading would have shown the waiter's lead, had it come since its point query."""
        return (
            self._read
            and waiter.queried_at is not None
            and waiter.queried_at >= self._followed_since
            and (waiter.statuses is None or self._end.shows_changes)
        )

    async def _read_end(self, age: float, transport: AsyncTransport, log: logging.Logger) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at < age:
                return
            self._read_at, self._read = time.monotonic(), False
            self._end.start()
            try:
                async for leads in read_pages(transport, self._end, {}, log, max_attempts=1):
                    self._offer(leads)
            except SelaError as error:
                # Not the waiter's failure: it asks for its own lead now, and so does everybody else.
                log.warning("Sela: the newest end of the list cannot be read (%s)", error)
                return
            if not self._end.joined:
                self._followed_since = float("inf") if self._end.ascending is None else time.monotonic()
            self._read = True

    async def _query(self, waiter: Waiter, transport: AsyncTransport, log: logging.Logger) -> None:
        began, seen = time.monotonic(), list[int]()
        async with aclosing(read_pages(transport, Walk(), waiter.filters, log, max_attempts=1)) as pages:
            async for page in pages:
                leads = list(page)
                self._offer(leads)
                if waiter.found:
                    break
                seen += [lead["id"] for lead in leads if has_external_id(lead, waiter.external_id)]
        waiter.others = seen
        due = waiter.polls_since_query >= POLLS_PER_POINT_QUERY - 1
        # Waiters that came together do not ask again together.
        waiter.polls_since_query = 0 if due else random.randrange(POLLS_PER_POINT_QUERY - 1)  # noqa: S311
        waiter.queried_at = began

    def _offer(self, leads: Iterable[Lead]) -> None:
        for lead in leads:
            for waiter in self._waiters.get(str(lead.get("external_id")), ()):
                waiter.answer(lead)


_pollers: WeakKeyDictionary[AsyncTransport, Poller] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def shared_poller(waiter: Waiter, sela_conn_id: str) -> AsyncIterator[tuple[Poller, AsyncTransport]]:
    """The poller of a connection, with this waiter among its waiters.

    :raises SelaError: the connection is wrong or cannot be looked up.
    """
    settings = await SelaHook(sela_conn_id).asettings()
    async with shared_transport(settings) as transport:
        poller = _pollers.setdefault(transport, Poller())
        poller.add(waiter)
        try:
            yield poller, transport
        finally:
            poller.remove(waiter)
