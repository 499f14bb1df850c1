"""The asynchronous half of SelaHook: the same words with an ``a`` in front."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from airflow_provider_sela.api.parameters import text
from airflow_provider_sela.api.request import external_id_filter, lead_filters
from airflow_provider_sela.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_sela.api.leads import Lead
    from airflow_provider_sela.http.async_transport import AsyncTransport


class AsyncHookMixin:
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

        conn_id = text("sela_conn_id", self.sela_conn_id)
        try:
            connection = await get_async_connection(conn_id)
        except Exception as error:  # noqa: BLE001 (Airflow's API and secrets backends raise what they like)
            from airflow_provider_sela.connections import error_for_undefined

            # Airflow calls a connection not defined, too, while its own API or database is out of order.
            failure = error_for_undefined(conn_id, "sela_conn_id", type(error).__name__)
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
        from airflow_provider_sela.api.walk import Walk
        from airflow_provider_sela.reading.plain_walk import log_remarks, read_pages

        filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        async with self._atransport() as transport:
            walk = Walk()
            async for leads in read_pages(transport, walk, filters, self.log, page_size=page_size):
                for lead in leads:
                    yield lead
            log_remarks(walk, self.log)

    async def afind_leads(self, external_id: str) -> list[Lead]:
        """All leads with exactly this ``external_id``, oldest id first; as :meth:`.SelaHook.find_leads`."""
        from airflow_provider_sela.api.leads import has_external_id

        leads = self.aiter_leads(external_id=external_id_filter(external_id)["external_id"])
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

    @asynccontextmanager
    async def _atransport(self) -> AsyncIterator[AsyncTransport]:
        from airflow_provider_sela.http.async_transport import shared_transport

        async with shared_transport(await self.asettings()) as transport:
            yield transport
