"""A plain walk over HTTP: :mod:`airflow_provider_sela.api.walk` names the pages, these drivers read them."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.walk import PageDialogue, Walk
from airflow_provider_sela.exceptions import SelaPageGoneError
from airflow_provider_sela.http.exchange import Run
from airflow_provider_sela.reading.progress import Progress

# Each half needs one HTTP library, and is not to load the other's.
if TYPE_CHECKING:
    from airflow_provider_sela.http.async_transport import AsyncTransport
    from airflow_provider_sela.http.transport import Transport


def read_leads(
    transport: Transport,
    filters: Mapping[str, str],
    log: logging.Logger,
    *,
    page_size: int,
    max_attempts: int | None = None,
) -> Iterator[Lead]:
    """Walk over a list, and give each of its leads once.

    :param page_size: leads per request.
    :param max_attempts: tries of each request; default: the connection's.
    """
    walk, run = Walk(), Run(transport.settings)
    progress = Progress(log)
    while walk.page is not None:
        try:
            page = transport.read(filters, walk.page, page_size, run=run, max_attempts=max_attempts)
        except SelaPageGoneError:
            walk.gone()
            continue
        yield from walk.record(page)
        progress.log_if_due(pages=run.requests, leads=walk.leads, expected=walk.count)
    log_remarks(walk, log)


async def read_pages(
    transport: AsyncTransport,
    dialogue: PageDialogue,
    filters: Mapping[str, str],
    log: logging.Logger,
    *,
    page_size: int | None = None,
    max_attempts: int | None = None,
) -> AsyncGenerator[Iterable[Lead], None]:
    """Read the pages that a dialogue wants, and give the leads of each that count.

    :param page_size: leads per request; default: the connection's.
    :param max_attempts: tries of each request; default: the connection's.
    """
    run = Run(transport.settings)
    size = transport.settings.page_size_for(page_size)
    while dialogue.page is not None:
        try:
            page = await transport.read(filters, dialogue.page, size, log, run=run, max_attempts=max_attempts)
        except SelaPageGoneError:
            dialogue.gone()
        else:
            yield dialogue.record(page)


def log_remarks(walk: Walk, log: logging.Logger) -> None:
    """Say what a walk that has ended did not give."""
    for remark in walk.remarks():
        log.warning("Sela: %s", remark)
