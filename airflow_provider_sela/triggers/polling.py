"""Many waiters, few requests: what the triggers of one connection in one process ask together.

Each waiter has a turn every poke interval. In its turn it asks for its own lead (a point query), or relies on
one reading of the newest end of the whole list, made by whichever waiter's turn comes first and good for all.
A lead found in such a reading is an answer; a lead not found is one only if the readings have followed the
newest end without a gap since the waiter's last point query, and at most :data:`POINT_QUERY_EVERY` times in a
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
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from airflow_provider_sela.api.leads import Lead, has_external_id
from airflow_provider_sela.api.walk import Walk
from airflow_provider_sela.exceptions import SelaError, SelaPageGoneError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.http.async_transport import AsyncTransport, shared_transport
from airflow_provider_sela.triggers.newest import NewestEnd

#: A waiter asks for its own lead at least every so many turns, whatever the shared reading says.
POINT_QUERY_EVERY = 10
#: Below so many waiters, their point queries are as few as the shared readings would be.
SHARE_FROM = 5


@dataclass(eq=False)
class Waiter:
    """Somebody who waits for a lead.

    :param external_id: exactly this one.
    :param statuses: one of these, None for any.
    :param interval: seconds between two turns.
    :ivar found: ids of matching leads.
    """

    external_id: str = field(repr=False)
    statuses: frozenset[str] | None
    interval: float
    found: set[int] = field(default_factory=set)
    asked: float | None = None
    unasked: int = 0
    _answered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

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
        """Sleep until the next turn, or until there is an answer."""
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
        self._tried = float("-inf")
        self._fresh = False
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

    async def turn(self, waiter: Waiter, transport: AsyncTransport, log: logging.Logger) -> bool:
        """One poke: whether the lead was found.

        :raises SelaError: a request failed; it is not tried again before the next turn.
        """
        shared = self._size >= SHARE_FROM and not self._end.unordered
        if shared:
            await self._read_end(waiter.interval / 2, transport, log)
        if waiter.found:
            return True
        if shared and waiter.unasked < POINT_QUERY_EVERY - 1 and self._covers(waiter):
            waiter.unasked += 1
            return False
        await self._ask(waiter, transport, log)
        return bool(waiter.found)

    def _covers(self, waiter: Waiter) -> bool:
        return (
            self._fresh
            and waiter.asked is not None
            and waiter.asked >= self._followed_since
            and (waiter.statuses is None or self._end.shows_changes)
        )

    async def _read_end(self, age: float, transport: AsyncTransport, log: logging.Logger) -> None:
        async with self._reading:
            if time.monotonic() - self._tried < age:
                return
            self._tried, self._fresh = time.monotonic(), False
            try:
                await self._read_pages(transport, log)
            except SelaError as error:
                # Not the waiter's failure: it asks for its own lead now, and so does everybody else.
                log.warning("Sela: the newest end of the list cannot be read (%s)", error)
                return
            if not self._end.joined:
                self._followed_since = float("inf") if self._end.ascending is None else time.monotonic()
            self._fresh = True

    async def _read_pages(self, transport: AsyncTransport, log: logging.Logger) -> None:
        size = transport.settings.page_size
        self._end.start()
        while self._end.page is not None:
            try:
                answer = await transport.read({}, self._end.page, size, log, max_attempts=1)
            except SelaPageGoneError:
                self._end.gone()
            else:
                self._offer(answer.page.leads)
                self._end.record(answer.page)

    async def _ask(self, waiter: Waiter, transport: AsyncTransport, log: logging.Logger) -> None:
        asked = time.monotonic()
        walk = Walk()
        while walk.page is not None and not waiter.found:
            try:
                answer = await transport.read(
                    {"external_id": waiter.external_id},
                    walk.page,
                    transport.settings.page_size,
                    log,
                    max_attempts=1,
                )
            except SelaPageGoneError:
                walk.gone()
                continue
            self._offer(walk.record(answer.page))
        in_turn = waiter.unasked >= POINT_QUERY_EVERY - 1
        # Waiters that came together do not ask again together.
        waiter.unasked = 0 if in_turn else random.randrange(POINT_QUERY_EVERY - 1)  # noqa: S311
        waiter.asked = asked

    def _offer(self, leads: Iterable[Lead]) -> None:
        for lead in leads:
            for waiter in self._waiters.get(str(lead.get("external_id")), ()):
                waiter.answer(lead)


_pollers: WeakKeyDictionary[AsyncTransport, Poller] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def taking_part(waiter: Waiter, sela_conn_id: str) -> AsyncIterator[tuple[Poller, AsyncTransport]]:
    """Let a waiter take part in the polling of its connection.

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
