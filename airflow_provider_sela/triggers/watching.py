"""Looks at a list, one after the other, from which watchers tell what is new."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.api.walk import Walk
from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.http.async_transport import AsyncTransport, shared_transport
from airflow_provider_sela.reading.plain_walk import read_pages
from airflow_provider_sela.snapshot.windows import Entry
from airflow_provider_sela.triggers.jitter import jittered
from airflow_provider_sela.triggers.list_watch import ListWatch, Look

#: A watch whose token is wrong, or whose server asks for a longer pause, is looked at again after this long.
_MAX_PAUSE_SECONDS = 3600.0


async def looks(kwargs: Mapping[str, Any], log: logging.Logger) -> AsyncGenerator[Look, None]:
    """Look again and again, for ever; a failure makes a pause, never an end.

    :param kwargs: arguments of :class:`~airflow_provider_sela.triggers.events_trigger.SelaLeadsEventTrigger`.
    """
    watch, failures = ListWatch(kwargs["poll_interval"], on_changed=bool(kwargs["on_changed"])), 0
    while True:
        try:
            settings = await SelaHook(kwargs["sela_conn_id"]).asettings()
            async with shared_transport(settings) as transport:
                while True:
                    began = _now()
                    watch.start()
                    async for _ in read_pages(transport, watch, _filters(kwargs), log):
                        pass
                    if watch.unseen:
                        log.warning(
                            "Sela: the server counts %d leads more than it shows; the watch cannot see new"
                            " ones among them",
                            watch.unseen,
                        )
                    if watch.entries or watch.whole:
                        yield Look(watch.entries, watch.whole, began)
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


async def _whole(filters: Mapping[str, str], transport: AsyncTransport, log: logging.Logger) -> Look:
    began, pages = _now(), read_pages(transport, Walk(), filters, log)
    entries = [Entry.from_lead(lead) async for leads in pages for lead in leads]
    return Look(entries, True, began)


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
