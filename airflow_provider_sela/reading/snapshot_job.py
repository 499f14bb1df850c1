"""A dialogue about a list while it is fetched, with the leads on disk."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from airflow_provider_sela.reading.continuation import microseconds_of
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot import PartialReading, Reading, Window
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
        self._spool.add_all(
            reply.leads
            if since is None
            else (lead for lead in reply.leads if lead.modified is None or lead.modified >= since)
        )
        for item in reply.rejects:
            self._spool.reject(item)
        self._reading.record(reply.response(started, ended))


@contextmanager
def frozen() -> Iterator[None]:
    """Spare the garbage collector all that Airflow has imported.

    It would look through that again with every few pages, for a tenth of the CPU of a read and more. Where
    somebody has frozen it already, nothing is left to do.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
