"""The asynchronous half of SelaHook: the same words with an ``a`` in front."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_sela.api.leads import Lead, has_external_id
from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.api.walk import Walk
from airflow_provider_sela.exceptions import (
    SelaError,
    SelaPageGoneError,
    SelaUnavailableError,
)
from airflow_provider_sela.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_sela.http.async_transport import AsyncTransport


class AsyncReading:
    """Reads leads on an event loop without blocking it; connections are pooled for as long as a call lasts.

    All readers of one connection on one loop share a client and its budget of requests, see
    :func:`~airflow_provider_sela.http.async_transport.shared_transport`.
    """

    sela_conn_id: str
    log: logging.Logger

    async def asettings(self) -> Settings:
        """The checked connection, looked up without blocking the loop and anew at each call.

        :raises SelaSetupError: a field of it is wrong.
        :raises SelaUnavailableError: there is no such connection, or Airflow cannot give it for now.
        """
        from airflow.providers.common.compat.connection import get_async_connection

        failure: SelaError
        try:
            connection = await get_async_connection(self.sela_conn_id)
        except AirflowNotFoundException:
            # Airflow 3.3 says the same while its own API or database is out of order.
            failure = SelaUnavailableError(
                f"connection {self.sela_conn_id!r} is not defined, or Airflow cannot look it up for now"
            )
        except Exception as error:  # noqa: BLE001 (Airflow's API and secrets backends raise what they like)
            failure = SelaUnavailableError(
                f"connection {self.sela_conn_id!r} cannot be looked up for now ({type(error).__name__})"
            )
        else:
            return Settings.from_connection(connection)
        raise failure

    async def aiter_leads(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Lead]:
        """Stream leads page by page, each once; as :meth:`.SelaHook.iter_leads`."""
        filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        async with self._atransport() as transport:
            from airflow_provider_sela.http.exchange import Run

            walk, run = Walk(), Run(transport.settings)
            size = transport.settings.page_size_for(page_size)
            while walk.page is not None:
                try:
                    answer = await transport.read(filters, walk.page, size, self.log, run=run)
                except SelaPageGoneError:
                    walk.gone()
                    continue
                for lead in walk.record(answer):
                    yield lead
            self._tell_end(walk)

    async def afind_leads(self, external_id: str) -> list[Lead]:
        """All leads with exactly this ``external_id``, oldest id first; as :meth:`.SelaHook.find_leads`."""
        leads = self.aiter_leads(external_id=external_id)
        found = [lead async for lead in leads if has_external_id(lead, external_id)]
        return sorted(found, key=lambda lead: lead["id"])

    async def acount_leads(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
    ) -> int:
        """Number of leads, as the server counts them; as :meth:`.SelaHook.count_leads`."""
        filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        async with self._atransport() as transport:
            return (await transport.read(filters, 1, 1, self.log)).count

    def _tell_end(self, walk: Walk) -> None:
        """Say what a walk that has ended did not give."""
        if walk.rejected:
            self.log.warning("Sela: %d results had no usable id and were left out", walk.rejected)
        if walk.missing:
            self.log.warning(
                "Sela: the server counts %d leads more than it showed; a snapshot would read them again",
                walk.missing,
            )

    @asynccontextmanager
    async def _atransport(self) -> AsyncIterator[AsyncTransport]:
        from airflow_provider_sela.http.async_transport import shared_transport

        async with shared_transport(await self.asettings()) as transport:
            yield transport
