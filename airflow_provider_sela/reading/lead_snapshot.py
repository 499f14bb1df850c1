"""The verified read over HTTP: :mod:`airflow_provider_sela.snapshot` says what to read, threads read it."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sela import metrics
from airflow_provider_sela.exceptions import SelaIncompleteError, SelaRequestError
from airflow_provider_sela.http.exchange import Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.metrics import ReadStats
from airflow_provider_sela.privacy import Redact
from airflow_provider_sela.reading.fetching import Crew
from airflow_provider_sela.reading.progress import Progress
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot import OtherReadingError, Reading, Verdict, Window, resume
from airflow_provider_sela.storage.spool import Encode, Spool

if TYPE_CHECKING:
    from airflow_provider_sela.reading.parts import Parts

ON_UNVERIFIED = ("fail", "warn")


class LeadSnapshot:
    """All leads of a list in their newest version seen, with a verdict on completeness.

    A context manager: entering reads, leaving frees the disk. Iterating gives each distinct lead.
    Made by :meth:`SelaHook.snapshot <airflow_provider_sela.hooks.sela.SelaHook.snapshot>`.

    :ivar spool: the leads on disk.
    :ivar verdict: how far the read is known to be complete; ``str`` of it is the spelling used everywhere.
    :ivar stats: what was found and what it cost.
    """

    verdict: Verdict
    stats: ReadStats

    def __init__(
        self,
        transport: Transport,
        filters: Mapping[str, str],
        *,
        page_size: int,
        concurrency: int,
        on_unverified: str,
        encode: Encode,
        redact: Redact | None,
        log: logging.Logger,
        parts: Parts | None = None,
    ) -> None:
        if on_unverified not in ON_UNVERIFIED:
            raise SelaRequestError(
                f"on_unverified is {on_unverified!r}: allowed are {' and '.join(ON_UNVERIFIED)}"
            )
        self._transport = transport
        self._filters = filters
        self._concurrency = concurrency
        self._on_unverified = on_unverified
        self._encode = encode
        self._redact = redact
        self._log = log
        self._plan = parts.plan if parts else None
        self._parts = parts
        self._page_size = self._plan.page_size if self._plan else page_size
        self._reading = Reading(self._page_size)
        self._run = Run(transport.settings)

    def __enter__(self) -> LeadSnapshot:
        self.spool = Spool(self._encode)
        try:
            self._read()
        except BaseException:
            self.spool.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.spool.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.spool)

    def __len__(self) -> int:
        return len(self.spool)

    def _read(self) -> None:
        started, clock = datetime.now(UTC), time.monotonic()
        windows, tick = self._resume()
        crew = Crew(self._transport, self._filters, self._run, self._redact)
        work = _Verified(self._reading, self.spool)
        with _frozen():
            crew.work(work, self._concurrency, Progress(self._log), windows=windows, tick=tick)
        verdict = self._reading.verdict
        assert verdict is not None  # noqa: S101 (the crew works until there is one)
        self.verdict = verdict
        self.stats = ReadStats(
            verdict=str(verdict),
            leads=len(self.spool),
            rejected=self.spool.rejected,
            nulled=self.spool.nulled,
            requests=self._run.requests,
            retries=self._run.retries,
            repaired=self._reading.repaired,
            passes=self._reading.passes,
            seconds=time.monotonic() - clock,
            started=self._plan.started if self._plan else started,
        )
        self._count()
        self._tell()

    def _resume(self) -> tuple[list[Window], int]:
        """Take what other tasks have read; returns what is then out, and the tick at which to go on."""
        parts = self._parts
        if parts is None or self._plan is None:
            return [], 0
        self._run.count(requests=parts.requests, retries=parts.retries)
        try:
            take = _Verified(self._reading, self.spool).take
            windows, tick = resume(self._reading, parts.first(), parts.divided(), take, until=parts.until)
        except OtherReadingError:
            # What was taken is kept: it was read after the start. Only the proof begins again.
            self._log.warning("Sela: the read was planned by another version of this package: read again")
            self._reading = Reading(self._page_size)
            return [], 0
        self._log.info(
            "Sela: %d leads were read by other tasks, %d windows are missing", len(self.spool), len(windows)
        )
        return windows, tick

    def _count(self) -> None:
        conn_id = self._transport.settings.conn_id
        metrics.count("sela.leads", conn_id, self.stats.leads)
        metrics.count(f"sela.verdict.{self.verdict.kind.name.lower()}", conn_id)
        metrics.duration("sela.read.duration", conn_id, self.stats.seconds)

    def _tell(self) -> None:
        stats = self.stats
        reason = f" ({self.verdict.reason})" if self.verdict.reason else ""
        self._log.info(
            "Sela: read %d leads, verdict %s%s, %d requests, %d retries, %d gaps repaired, %d passes, %.1f s",
            stats.leads, self.verdict, reason, stats.requests, stats.retries, stats.repaired, stats.passes,
            stats.seconds,
        )  # fmt: skip
        if stats.rejected:
            self._log.warning("Sela: %d results have no usable id and are kept as rejects", stats.rejected)
        if str(self.verdict) == "UNVERIFIED":
            remedy = "run it again at a quieter time, or set on_unverified='warn'"
            if self._on_unverified == "fail":
                raise SelaIncompleteError(f"completeness could not be established{reason}: {remedy}")
            self._log.warning("Sela: completeness could not be established%s", reason)


@contextmanager
def _frozen() -> Iterator[None]:
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


class _Verified:
    """What a crew works on: a reading until it has its verdict, and the leads on disk."""

    def __init__(self, reading: Reading, spool: Spool) -> None:
        self._reading = reading
        self._spool = spool

    @property
    def over(self) -> bool:
        return self._reading.verdict is not None

    @property
    def leads(self) -> int:
        return len(self._spool)

    @property
    def expected(self) -> int | None:
        return self._reading.expected

    def wanted(self) -> list[Window]:
        return self._reading.wanted()

    def take(self, reply: Reply, started: int, ended: int) -> None:
        self._spool.keep_all(reply.leads)
        for item in reply.rejects:
            self._spool.reject(item)
        self._reading.record(reply.response(started, ended))
