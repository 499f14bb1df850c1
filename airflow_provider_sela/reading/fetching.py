"""Threads that read windows for whoever knows which windows to read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from math import ceil
from typing import Protocol

from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaPageGoneError
from airflow_provider_sela.http.exchange import CalledOffError, Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.privacy import Redact
from airflow_provider_sela.reading.clock import ServerClock
from airflow_provider_sela.reading.progress import Progress
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot.windows import Window

# Without a reply, after which there is time for something else: threads that send requests come first.
_QUIET_SECONDS = 0.01


class Job(Protocol):
    """What is to be fetched; one thread at a time asks it and gives it replies."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""

    @property
    def leads(self) -> int:
        """Distinct leads so far, for the log."""

    @property
    def expected(self) -> int | None:
        """Leads in the whole, for the log; None while unknown."""

    def wanted(self) -> list[Window]:
        """Windows to read now, each named once; a thread without one asks, also while others are out."""

    def take(self, reply: Reply, started: int, ended: int) -> None:
        """Take a reply; ticks as in :class:`~airflow_provider_sela.snapshot.windows.Response`."""


class Fetchers:
    """Threads that read the windows that a job wants, and deliver the replies one at a time.

    The threads are daemons, and nobody waits for a request that is no longer needed: a task that is killed or
    times out ends at once, not after the HTTP time-out.

    :param transport: where requests go out.
    :param filters: of the list.
    :param run: the read that this is part of.
    :param clock: is told of each answer.
    :param redact: leaves out what must not be written; default: nothing.
    """

    def __init__(
        self,
        transport: Transport,
        filters: Mapping[str, str],
        run: Run,
        clock: ServerClock,
        redact: Redact | None = None,
    ) -> None:
        self._transport = transport
        self._filters = filters
        self._run = run
        self._server_clock = clock
        self._redact = redact
        self._clock = count()
        self._windows: deque[Window] = deque()
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def run(
        self,
        job: Job,
        size: int,
        progress: Progress,
        *,
        windows: Iterable[Window] = (),
        tick: int = 0,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        """Fetch until the job is over; raises the first failure.

        :param size: threads.
        :param windows: windows that the job has named already.
        :param tick: where the clock starts.
        :param meanwhile: what there is to do while all threads wait for answers.
        """
        self._windows.extend(windows)
        self._clock = count(tick)
        threads = [
            threading.Thread(target=self._fetch, args=(job,), name=f"sela-fetch-{n}", daemon=True)
            for n in range(size)
        ]
        for thread in threads:
            thread.start()
        try:
            while self._waits(job, meanwhile):
                progress.log_if_due(pages=self._run.requests, leads=job.leads, expected=job.expected)
        finally:
            self._run.called_off.set()
            with self._changed:
                self._changed.notify_all()
        if self._failure is not None:
            raise self._failure
        for thread in threads:
            thread.join()

    def _waits(self, job: Job, meanwhile: Callable[[], object] | None) -> bool:
        """Wait for replies, or do something else while none comes; False once nothing is to be waited for."""
        with self._changed:
            if self._over(job):
                return False
            if self._changed.wait(_QUIET_SECONDS if meanwhile else 1):
                return True
        if meanwhile:
            meanwhile()
        return True

    def _over(self, job: Job) -> bool:
        return self._failure is not None or job.over or self._run.called_off.is_set()

    def _fetch(self, job: Job) -> None:
        try:
            # While the first answer is waited for, the other threads have time.
            self._transport.prepare()
            while (window := self._next(job)) is not None:
                started, asked = next(self._clock), self._server_clock.elapsed()
                page = self._read(window)
                took = ceil((self._server_clock.elapsed() - asked) * 1_000_000)
                self._server_clock.heard(None if page is None else page.date, asked)
                self._deliver(job, Reply.from_page(window, page, self._redact, took), started)
        except CalledOffError:
            pass
        except BaseException as error:  # noqa: BLE001 (the task's own thread raises it)
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
        finally:
            self._transport.release()

    def _next(self, job: Job) -> Window | None:
        with self._changed:
            while not self._over(job):
                if not self._windows:
                    self._windows.extend(job.wanted())
                if self._windows:
                    return self._windows.popleft()
                if not job.over:
                    self._changed.wait()
            self._changed.notify_all()
        return None

    def _read(self, window: Window) -> Page[RawLead] | None:
        try:
            return self._transport.read_raw(self._filters, window.page, window.page_size, run=self._run)
        except SelaPageGoneError:
            return None

    def _deliver(self, job: Job, reply: Reply, started: int) -> None:
        with self._changed:
            if not self._over(job):
                job.take(reply, started, next(self._clock))
                # While windows are left, nobody waits for more of them.
                if not self._windows or self._over(job):
                    self._changed.notify_all()
