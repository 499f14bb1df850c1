"""The verified read over HTTP: drives the dialogue of :mod:`airflow_provider_sela.snapshot` with threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from airflow_provider_sela.exceptions import SelaIncompleteError, SelaPageGoneError, SelaRequestError
from airflow_provider_sela.leads import microseconds
from airflow_provider_sela.progress import Progress
from airflow_provider_sela.snapshot import Entry, Reading, Response, Verdict, Window
from airflow_provider_sela.spool import Encode, Redact, Spool
from airflow_provider_sela.transport import Answer, CalledOffError, Run, Transport

ON_UNVERIFIED = ("fail", "warn")


@dataclass(frozen=True)
class ReadStats:
    """What a verified read found and cost.

    :param verdict: ``ATOMIC``, ``PROVEN(order)``, ``CONVERGED(passes)`` or ``UNVERIFIED``.
    :param leads: distinct leads.
    :param rejected: distinct results without a usable id.
    :param nulled: malformed values.
    :param requests: requests sent, retries included.
    :param retries: requests that were sent again.
    :param repaired: gaps between pages that were read again.
    :param passes: whole passes over the list, 1 where one was enough.
    :param seconds: duration.
    :param started: when the first request was about to be sent.
    """

    verdict: str
    leads: int
    rejected: int
    nulled: int
    requests: int
    retries: int
    repaired: int
    passes: int
    seconds: float
    started: datetime


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
        self._reading = Reading(page_size)
        self._run = Run(transport.settings.retry_budget)

    def __enter__(self) -> LeadSnapshot:
        self.spool = Spool(self._encode, redact=self._redact)
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
        crew = _Crew(self._transport, self._filters, self._reading, self.spool, self._run)
        crew.work(self._concurrency, Progress(self._log))
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
            started=started,
        )
        self._tell()

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


class _Crew:
    """Threads that read what the dialogue wants, and hand in what they read, one at a time.

    The threads are daemons, and nobody waits for a request that is no longer needed: a task that is killed or
    times out ends at once, not after the HTTP time-out.
    """

    def __init__(
        self, transport: Transport, filters: Mapping[str, str], reading: Reading, spool: Spool, run: Run
    ) -> None:
        self._transport = transport
        self._filters = filters
        self._reading = reading
        self._spool = spool
        self._run = run
        self._clock = count()
        self._windows: deque[Window] = deque()
        self._expected: int | None = None
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def work(self, size: int, progress: Progress) -> None:
        """Read until there is a verdict; raises the first failure."""
        threads = [threading.Thread(target=self._member, name=f"sela-{n}", daemon=True) for n in range(size)]
        for thread in threads:
            thread.start()
        try:
            with self._changed:
                while not self._over():
                    self._changed.wait(1)
                    progress.tell(pages=self._run.requests, leads=len(self._spool), expected=self._expected)
        finally:
            self._run.called_off.set()
            with self._changed:
                self._changed.notify_all()
        if self._failure is not None:
            raise self._failure
        for thread in threads:
            thread.join()

    def _over(self) -> bool:
        return self._failure is not None or self._reading.verdict is not None or self._run.called_off.is_set()

    def _member(self) -> None:
        try:
            while (window := self._next()) is not None:
                started = next(self._clock)
                answer = self._ask(window)
                self._hand_in(window, answer, started)
        except CalledOffError:
            pass
        except BaseException as error:  # noqa: BLE001 (told to the task's own thread, which raises it)
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
        finally:
            self._transport.release()

    def _next(self) -> Window | None:
        with self._changed:
            while not self._over():
                if not self._windows:
                    self._windows.extend(self._reading.wanted())
                if self._windows:
                    return self._windows.popleft()
                self._changed.wait()
        return None

    def _ask(self, window: Window) -> Answer | None:
        try:
            return self._transport.read(self._filters, window.page, window.page_size, run=self._run)
        except SelaPageGoneError:
            return None

    def _hand_in(self, window: Window, answer: Answer | None, started: int) -> None:
        with self._changed:
            if self._over():
                return
            if answer is not None:
                self._expected = answer.page.count
                for lead in answer.page.leads:
                    self._spool.add(lead)
                for item in answer.page.rejects:
                    self._spool.reject(item)
            self._reading.record(_response(window, answer, started, next(self._clock)))
            self._changed.notify_all()


def _response(window: Window, answer: Answer | None, started: int, ended: int) -> Response:
    if answer is None:
        return Response(window, (), 0, False, None, started, ended, gone=True)
    entries = [
        Entry(lead["id"], microseconds(lead.get("created_time")), microseconds(lead.get("modified_time")))
        for lead in answer.page.leads
    ]
    page = answer.page
    return Response(
        window,
        entries,
        page.count,
        page.next_page is not None,
        answer.date,
        started,
        ended,
        rejected=len(page.rejects),
    )
