"""Fires when new leads appear, for an AssetWatcher (Airflow 3.0 and newer)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterator
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers import base
from airflow.triggers.base import TriggerEvent

from airflow_provider_sela.api.parameters import boolean, seconds, text
from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.triggers.jitter import jittered

if TYPE_CHECKING:
    from airflow_provider_sela.triggers.cursor import Changes, Cursor

# Airflow 2.11 knows no event triggers; the module can be imported there, and nothing watches.
BaseEventTrigger: Any = getattr(base, "BaseEventTrigger", base.BaseTrigger)
log = logging.getLogger(__name__)

#: Ids in one event; more new leads than this make several events.
IDS_PER_EVENT = 500
#: Pause between an event and the storing of the cursor. Airflow takes a trigger's events over once a
#: second: a triggerer that dies before that finds the old cursor, and the event is fired again, not lost.
STORE_AFTER_SECONDS = 10.0
_STATE_KEY = "sela_leads_cursor"


class SelaLeadsEventTrigger(BaseEventTrigger):
    """Fires when leads appear that were not there before, each lead once.

    ::

        Asset("sela_leads", watchers=[AssetWatcher(name="new_leads", trigger=SelaLeadsEventTrigger())])

    The event carries ids and nothing else of a lead::

        {"reason": "new", "ids": [28013, 28014], "count": 2, "watermark": "2026-01-01T12:00:00+00:00"}

    ``watermark`` is the moment at which the look began that found them; ``ids`` are at most 500, more
    leads make more events. Leads that exist when the trigger starts for the first time are known, not new.
    From Airflow 3.3 on, what is known survives a restart of the triggerer (in the asset's state store);
    below, a restart begins anew, so leads that appear while no triggerer runs are not reported.

    The order of the list is not assumed: as long as the list shows one, its newest end is read. Where it
    shows none, and where leads came that the newest end did not show, the whole list is read at a tenth of
    the pace. At the start and every 60 intervals it is read in any case. That ids grow as leads are created
    is assumed.

    A failure never ends the watch: it is logged, and the next look is later.

    :param email: watch only leads with this e-mail address.
    :param external_id: watch only leads with this id in the customer's own CRM.
    :param phone_number: watch only leads with this phone number.
    :param user: watch only leads of this user.
    :param poll_interval: seconds between two looks, with 10 % of jitter; default 60, because a run that lands
        leads takes about as long.
    :param on_changed: fire for leads whose ``modified_time`` moved, too (``"reason": "changed"``). Where the
        list is not sorted by it, changes are found by whole reads at a tenth of the pace.
    :param sela_conn_id: Airflow connection of type ``sela``.
    :raises SelaRequestError: an argument cannot be read; the message names it.
    """

    def __init__(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        poll_interval: float = 60,
        on_changed: bool = False,
        sela_conn_id: str = "sela_default",
    ) -> None:
        super().__init__()
        lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        self.email = email
        self.external_id = external_id
        self.phone_number = phone_number
        self.user = user
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.on_changed = boolean("on_changed", on_changed)
        self.sela_conn_id = text("sela_conn_id", sela_conn_id)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and plain-data arguments."""
        return "airflow_provider_sela.triggers.leads.SelaLeadsEventTrigger", {
            "email": self.email,
            "external_id": self.external_id,
            "phone_number": self.phone_number,
            "user": self.user,
            "poll_interval": self.poll_interval,
            "on_changed": self.on_changed,
            "sela_conn_id": self.sela_conn_id,
        }

    def __repr__(self) -> str:
        return (
            f"<SelaLeadsEventTrigger sela_conn_id={self.sela_conn_id!r} poll_interval={self.poll_interval}>"
        )

    def shared_stream_key(self) -> Hashable | None:
        """Watchers with the same arguments poll once (Airflow 3.3 and newer)."""
        return self.serialize()[0], *map(str, self.serialize()[1].values())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Looks at the list, for all watchers with these arguments."""
        # A first import of httpx takes longer than a trigger may hold up the loop.
        await asyncio.to_thread(import_module, "airflow_provider_sela.triggers.watching")
        from airflow_provider_sela.triggers.watching import looks

        async with aclosing(looks(kwargs, log)) as stream:
            async for look in stream:
                yield look

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch on one's own (Airflow below 3.3)."""
        async with aclosing(self.open_shared_stream(self.serialize()[1])) as stream:
            async for event in self.filter_shared_stream(stream):
                yield event

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Events for the leads that this watcher has not reported."""
        await asyncio.to_thread(import_module, "airflow_provider_sela.triggers.watching")
        from airflow_provider_sela.triggers.cursor import Cursor
        from airflow_provider_sela.triggers.watching import whole_look

        stored = await self._stored()
        cursor, baseline = stored or Cursor(), stored is None
        unsaved, need_whole = False, True
        async for shown in shared_stream:
            look = shown
            if need_whole and not look.whole:
                look = look.with_whole(await whole_look(self.serialize()[1], log))
            # Of a long list this takes longer than a trigger may hold up the loop.
            changes = await asyncio.to_thread(cursor.take, look.entries, whole=look.whole)
            unsaved = unsaved or need_whole or any(changes)
            need_whole = cursor.full
            if baseline:
                baseline = False
                log.info("Sela: watching for new leads from now on")
            else:
                payloads = list(self._payloads(changes, look.began))
                for payload in payloads:
                    yield TriggerEvent(payload)
                if payloads:
                    await asyncio.sleep(jittered(STORE_AFTER_SECONDS))
            if unsaved:
                unsaved = not await self._store(cursor)

    def _payloads(self, changes: Changes, began: str) -> Iterator[dict[str, Any]]:
        reported = [("new", changes.new), ("changed", changes.changed if self.on_changed else [])]
        for reason, ids in reported:
            for start in range(0, len(ids), IDS_PER_EVENT):
                part = ids[start : start + IDS_PER_EVENT]
                yield {"reason": reason, "ids": part, "count": len(part), "watermark": began}

    async def _stored(self) -> Cursor | None:
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return None
        while True:
            try:
                data = await store.aget(_STATE_KEY)
                break
            except ValueError:
                log.error(
                    "Sela: one trigger watches several assets, and Airflow gives it no state store: a "
                    "restart of the triggerer begins anew; give each asset a trigger of its own arguments"
                )
                self.asset_state_store = None
                return None
            except Exception as error:  # noqa: BLE001 (whatever Airflow's API raises; beginning anew loses leads)
                log.warning("Sela: the state of the watch cannot be read yet (%s)", type(error).__name__)
                await asyncio.sleep(jittered(self.poll_interval))
        from airflow_provider_sela.triggers.cursor import Cursor

        try:
            return None if data is None else Cursor.load(data)
        except ValueError:
            log.warning("Sela: the stored state of the watch cannot be read; watching from now on")
            return None

    async def _store(self, cursor: Cursor) -> bool:
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return True
        try:
            await store.aset(_STATE_KEY, cursor.dump())
        except Exception as error:  # noqa: BLE001 (whatever Airflow's API raises: the next look stores)
            log.warning("Sela: the state of the watch could not be stored (%s)", type(error).__name__)
            return False
        return True
