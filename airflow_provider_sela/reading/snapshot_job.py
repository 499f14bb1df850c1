"""A dialogue about a list while it is fetched, with the leads on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.reading.continuation import microseconds_of
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot.partial import PartialReading
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Window
from airflow_provider_sela.storage.spool import Spool


class SnapshotJob:
    """A reading until it has its verdict, with the leads on disk.

    :param since: leads that say that nothing was done to them since are left out.
    """

    def __init__(
        self, reading: Reading | PartialReading, spool: Spool, since: datetime | None = None
    ) -> None:
        self._reading = reading
        self._spool = spool
        self._since = None if since is None else microseconds_of(since)

    @property
    def over(self) -> bool:
        return self._reading.over

    @property
    def leads(self) -> int:
        return len(self._spool)

    @property
    def expected(self) -> int | None:
        return self._reading.expected

    def wanted(self) -> list[Window]:
        return self._reading.wanted()

    def take(self, reply: Reply, started: int, ended: int) -> None:
        since = self._since
        leads: Sequence[RawLead] = reply.leads
        if since is not None:
            leads = [lead for lead in leads if lead.modified is None or lead.modified >= since]
        self._spool.add_all(leads)
        for item in reply.rejects:
            self._spool.reject(item)
        self._reading.record(reply.response(started, ended))
