"""The verified read over HTTP: :mod:`airflow_provider_sela.snapshot` says what to read, threads read it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_sela import metrics
from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.parameters import unverified_choice
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaIncompleteError
from airflow_provider_sela.http.exchange import Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.metrics import ReadStats
from airflow_provider_sela.privacy import Privacy, Redaction
from airflow_provider_sela.reading.clock import ServerClock
from airflow_provider_sela.reading.continuation import Continuation, LeadsMissingError, microseconds_of
from airflow_provider_sela.reading.fetching import Fetchers
from airflow_provider_sela.reading.garbage import frozen
from airflow_provider_sela.reading.outcome import count_outcome, in_brackets, log_outcome
from airflow_provider_sela.reading.progress import Progress
from airflow_provider_sela.reading.snapshot_job import SnapshotJob
from airflow_provider_sela.snapshot.anchor import Anchor
from airflow_provider_sela.snapshot.partial import PartialReading
from airflow_provider_sela.snapshot.parts import OtherReadingError, resume
from airflow_provider_sela.snapshot.reach import Scope
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.verdict import Strength, Verdict
from airflow_provider_sela.snapshot.windows import Entry, Window
from airflow_provider_sela.storage.lines_ahead import LinesAhead
from airflow_provider_sela.storage.spool import Encoder, Spool, raw_line

if TYPE_CHECKING:
    from airflow_provider_sela.reading.parts import Parts

# A lead that was written within so long before a read may have shown only after it had begun.
_LATE = timedelta(seconds=30)
# As many as a reader looks up by hand.
_IDS_IN_A_REASON = 5
_MICROSECOND = timedelta(microseconds=1)


class LeadSnapshot:
    """All leads of a list in their newest version seen, with a verdict on completeness.

    A context manager: entering reads, leaving frees the disk. Iterating gives each distinct lead.
    Made by :meth:`SelaHook.snapshot <airflow_provider_sela.hooks.sela.SelaHook.snapshot>`.

    :ivar spool: the leads on disk.
    :ivar verdict: how far the read is known to be complete; ``str`` of it is the spelling used everywhere.
    :ivar anchor: what this read leaves to one of what is new; None where that is nothing.
    """

    verdict: Verdict
    anchor: Anchor | None = None
    _stats: ReadStats
    _ahead: LinesAhead

    def __init__(
        self,
        transport: Transport,
        filters: Mapping[str, str],
        *,
        page_size: int,
        concurrency: int,
        on_unverified: str = "fail",
        privacy: Privacy | None = None,
        encoder: Encoder = raw_line,
        watch: Callable[[RawLead], object] | None = None,
        parts: Parts | None = None,
        continuation: Continuation | None = None,
        log: logging.Logger,
    ) -> None:
        self._transport = transport
        self._filters = filters
        self._concurrency = concurrency
        self._on_unverified = unverified_choice("on_unverified", on_unverified)
        self._encoder = encoder
        self._watch = watch
        self._redaction = Redaction(privacy or Privacy())
        self._excluded = privacy.exclude_fields if privacy else ()
        self._log = log
        self._parts = parts
        self._page_size = parts.plan.page_size if parts else page_size
        self._reading: Reading | PartialReading = Reading(self._page_size)
        self._continuation = continuation
        self._why_full = continuation.refusal if continuation else ""
        self._run = Run(transport.settings)

    def __enter__(self) -> LeadSnapshot:
        if self._continuation and self._continuation.goes_on:
            # Of what is new, every lead becomes a line.
            self._ahead = LinesAhead(self._encoder, self._watch)
            self.spool = Spool(self._ahead, watch=self._ahead.watch)
        else:
            self.spool = Spool(self._encoder, watch=self._watch)
        try:
            self._read()
        except BaseException:
            self.spool.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.spool.close()

    def __iter__(self) -> Iterator[Lead]:
        return iter(self.spool)

    def __len__(self) -> int:
        return len(self.spool)

    @property
    def stats(self) -> ReadStats:
        """What was found and what it cost. Malformed values and undocumented fields are known as far as leads
        have become lines."""
        return replace(self._stats, nulled=self.spool.nulled, unknown_fields=self.spool.fields.unknown)

    def _read(self) -> None:
        clock = ServerClock()
        with frozen():
            if not self._read_new(clock):
                windows, tick = self._resume()
                self._fetch(clock, windows, tick)
                self.anchor = self._make_anchor(clock, self._reading.anchor)
        verdict = self._reading.verdict
        assert verdict is not None  # noqa: S101 (the fetchers run until there is one)
        self.verdict = verdict
        self._stats = ReadStats(
            verdict=str(verdict),
            leads=len(self.spool),
            rejected=self.spool.rejected,
            requests=self._run.requests,
            retries=self._run.retries,
            repaired=self._reading.repaired,
            passes=self._reading.passes,
            seconds=clock.elapsed(),
            started=pendulum.instance(self._parts.plan.started if self._parts else clock.started),
            missing_fields=self._missing_fields(),
            **self._portion(),
            clock_offset=clock.offset,
        )
        count_outcome(self._transport.settings.conn_id, verdict, self.stats)
        log_outcome(self._log, verdict, self.stats, self._redaction.remarks())
        self._judge()

    def _fetch(
        self,
        clock: ServerClock,
        windows: list[Window],
        tick: int,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        fetchers = Fetchers(self._transport, self._filters, self._run, clock, self._redaction or None)
        since = None if self._continuation is None else self._continuation.since
        job = SnapshotJob(self._reading, self.spool, since)
        progress = Progress(self._log)
        fetchers.run(job, self._concurrency, progress, windows=windows, tick=tick, meanwhile=meanwhile)

    def _read_new(self, clock: ServerClock) -> bool:
        """Read only what is new, if that is asked for and comes to a proof."""
        continuation = self._continuation
        if continuation is None or not continuation.goes_on:
            return self._read_all(self._why_full)
        self._reading = reading = continuation.reading(self._page_size)
        self._fetch(clock, [], 0, self._ahead.make)
        if reading.refusal:
            return self._read_all(reading.refusal)
        try:
            held = continuation.held_ids(reading)
        except LeadsMissingError as error:
            return self._read_all(str(error))
        self.anchor = self._make_anchor(clock, partial(reading.anchor, held))
        return True

    def _read_all(self, reason: str) -> bool:
        """Begin with a read of everything, for a reason or because it is asked for."""
        self._why_full = reason
        if reason:
            self._log.info("Sela: everything is read: %s", reason)
        self._reading, before = Reading(self._page_size), self._run
        self._run = Run(self._transport.settings)
        self._run.count(requests=before.requests, retries=before.retries)
        return False

    def _make_anchor(self, clock: ServerClock, make: Callable[..., Anchor | None]) -> Anchor | None:
        """What this read leaves to the next one: nothing without a time that one clock has told, as after a
        read in parts."""
        started = clock.earliest
        if started is None or self._parts is not None:
            return None
        lookback = self._continuation.lookback if self._continuation else timedelta()
        return make(started=microseconds_of(started), lookback=lookback // _MICROSECOND)

    def _portion(self) -> dict[str, Any]:
        """How much of the list was read, and why no less."""
        asked = self._continuation
        if asked is None or asked.scope is Scope.FULL or (self._why_full and asked.since is None):
            return {"why_full": self._why_full}
        return {"scope": str(asked.scope), "since": asked.moment, "why_full": self._why_full}

    def _missing_fields(self) -> list[str]:
        return [name for name in self.spool.fields.missing if name not in self._excluded]

    def _resume(self) -> tuple[list[Window], int]:
        """Take what other tasks have read; returns what is then out, and the tick at which to go on."""
        parts = self._parts
        if parts is None:
            return [], 0
        self._run.count(requests=parts.requests, retries=parts.retries)
        self._redaction.join(parts.met)
        try:
            take = SnapshotJob(self._reading, self.spool).take
            assert isinstance(self._reading, Reading)  # noqa: S101 (parts are of everything)
            windows, tick = resume(
                self._reading, parts.planning_replies(), parts.part_replies(), take, until=parts.until
            )
        except OtherReadingError:
            # What was taken is kept: it was read after the start. Only the proof begins again.
            self._log.warning("Sela: the read was planned by another version of this package: read again")
            self._reading = Reading(self._page_size)
            return [], 0
        self._log.info(
            "Sela: %d leads were read by other tasks, %d windows are missing", len(self.spool), len(windows)
        )
        return windows, tick

    def log_nulled(self) -> None:
        """Say which columns have malformed values, once lines were made of all leads."""
        columns = self.spool.nulled_columns()
        if columns:
            counts = ", ".join(f"{name} {number}" for name, number in columns.items())
            self._log.warning("Sela: malformed values became NULL (%s); extra keeps what came", counts)

    def _judge(self) -> None:
        """Refuse a read that may lack leads, or log it, as ``on_unverified`` says."""
        if self.verdict.strength is not Strength.UNVERIFIED:
            return
        if self._on_unverified == "fail":
            raise SelaIncompleteError(
                f"completeness could not be established{in_brackets(self.verdict)}: run it again at a quieter"
                " time, or set on_unverified='warn'"
            )
        self._log.warning("Sela: completeness could not be established%s", in_brackets(self.verdict))

    def hold_against(self, known: Sequence[Lead]) -> None:
        """Hold the verdict against leads that were not read and that Sela gives when it is asked for them.

        Those that existed before the read began refute it, and are taken. It is the one check of a server
        that counts fewer leads than there are: no rule within a read can find that.

        :raises SelaIncompleteError: the verdict is refuted, and ``on_unverified`` is ``fail``.
        """
        before = self.stats.started - _LATE
        missed = [lead for lead in known if _existed(lead, before)]
        if not missed:
            return
        metrics.count("sela.verdict.refuted", self._transport.settings.conn_id)
        leads = map(RawLead.from_lead, missed)
        self.anchor = None
        self.spool.add_all([lead.redacted(self._redaction) if self._redaction else lead for lead in leads])
        ids = ", ".join(str(lead["id"]) for lead in missed[:_IDS_IN_A_REASON])
        more = " and others" if len(missed) > _IDS_IN_A_REASON else ""
        reason = f"the verdict {self.verdict} is refuted: leads {ids}{more} were not shown, and answer"
        self.verdict = Verdict(Strength.UNVERIFIED, passes=self.verdict.passes, reason=reason)
        self._stats = replace(self._stats, verdict=str(self.verdict), leads=len(self.spool))
        self._judge()


def _existed(lead: Lead, before: datetime) -> bool:
    """Whether a lead says that nothing was done to it since."""
    moment = before.timestamp() * 1e6
    _, *times = Entry.from_lead(lead)
    return all(time is not None and time < moment for time in times)
