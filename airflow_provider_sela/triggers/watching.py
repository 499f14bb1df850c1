"""Looks at a list, one after the other, from which watchers tell what is new."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.api.walk import Walk
from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.hooks.asynchronous import read_pages
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.http.async_transport import AsyncTransport, shared_transport
from airflow_provider_sela.snapshot.windows import Entry
from airflow_provider_sela.triggers.jitter import jittered
from airflow_provider_sela.triggers.newest import NewestEnd

#: Whole reads come at this fraction of the pace.
WHOLE_EVERY = 10
#: A watch whose token is wrong, or whose server asks for a longer pause, is looked at again after this long.
_MAX_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True)
class Look:
    """What one look showed.

    :param entries: the leads seen.
    :param whole: these are all leads.
    :param baseline: whoever has seen nothing yet can start from here.
    :param began: when the look began, ISO 8601 in UTC.
    """

    entries: list[Entry]
    whole: bool
    baseline: bool
    began: str

    def followed_by(self, whole: Look) -> Look:
        """Both as one: whoever has seen nothing yet can start from here, without a whole read of his own."""
        return replace(whole, entries=self.entries + whole.entries, began=self.began)


async def looks(kwargs: Mapping[str, Any], log: logging.Logger) -> AsyncGenerator[Look, None]:
    """Look again and again, for ever; a failure makes a pause, never an end.

    :param kwargs: arguments of :class:`~airflow_provider_sela.triggers.events_trigger.SelaLeadsEventTrigger`.
    """
    watch, failures = _Watch(kwargs, log), 0
    while True:
        try:
            settings = await SelaHook(kwargs["sela_conn_id"]).asettings()
            async with shared_transport(settings) as transport:
                while True:
                    look = await watch.look(transport)
                    if look is not None:
                        yield look
                    failures = 0
                    await asyncio.sleep(jittered(kwargs["poll_interval"]))
        except SelaError as error:
            failures += 1
            pause = _pause(kwargs["poll_interval"], failures, error, log)
        await asyncio.sleep(pause)


async def whole_look(kwargs: Mapping[str, Any], log: logging.Logger) -> Look:
    """Read the whole list for one watcher, until that succeeds."""
    failures = 0
    while True:
        try:
            settings = await SelaHook(kwargs["sela_conn_id"]).asettings()
            async with shared_transport(settings) as transport:
                return await _whole(_filters(kwargs), transport, log)
        except SelaError as error:
            failures += 1
            pause = _pause(kwargs["poll_interval"], failures, error, log)
        await asyncio.sleep(pause)


class _Watch:
    def __init__(self, kwargs: Mapping[str, Any], log: logging.Logger) -> None:
        self._filters = _filters(kwargs)
        self._on_changed = bool(kwargs["on_changed"])
        self._every = WHOLE_EVERY * float(kwargs["poll_interval"])
        self._log = log
        self._end = NewestEnd()
        self._whole_at = float("-inf")

    async def look(self, transport: AsyncTransport) -> Look | None:
        """The newest end, and the whole list where that gives no answer and the time has come."""
        end = None if self._end.unordered else await self._newest_end(transport)
        if end is not None and end.whole:
            self._whole_at = time.monotonic()
        ordered = self._end.ascending is not None
        answered = ordered and (not self._on_changed or self._end.shows_changes)
        if not answered and time.monotonic() - self._whole_at >= self._every:
            whole = await _whole(self._filters, transport, self._log)
            self._whole_at = time.monotonic()
            return whole if end is None else end.followed_by(whole)
        return end if end is not None and (end.whole or ordered) else None

    async def _newest_end(self, transport: AsyncTransport) -> Look:
        began = _now()
        self._end.start()
        async for _ in read_pages(transport, self._end, self._filters, self._log):
            pass
        # Leads that are not on these pages must have lower ids than those that are, and, where changes count,
        # must have changed before them.
        baseline = self._end.whole or (not self._on_changed and self._end.by_id)
        return Look([Entry.from_lead(lead) for lead in self._end.leads], self._end.whole, baseline, began)


async def _whole(filters: Mapping[str, str], transport: AsyncTransport, log: logging.Logger) -> Look:
    began, pages = _now(), read_pages(transport, Walk(), filters, log)
    entries = [Entry.from_lead(lead) async for leads in pages for lead in leads]
    return Look(entries, True, True, began)


def _filters(kwargs: Mapping[str, Any]) -> dict[str, str]:
    return lead_filters(
        email=kwargs["email"],
        external_id=kwargs["external_id"],
        phone_number=kwargs["phone_number"],
        user=kwargs["user"],
    )


def _pause(interval: float, failures: int, error: SelaError, log: logging.Logger) -> float:
    pause = max(interval * 2.0 ** min(failures, 10), error.retry_after or 0.0)
    pause = jittered(min(pause, max(interval, _MAX_PAUSE_SECONDS)))
    level = logging.WARNING if error.retryable else logging.ERROR
    log.log(level, "Sela: %s; failure %d in a row, the watch goes on in %.0f s", error, failures, pause)
    return pause


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
