"""Threads that read windows for whoever knows which windows to read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Protocol

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaPageGoneError
from airflow_provider_sela.http.exchange import Answer, CalledOffError, Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.privacy import Redact
from airflow_provider_sela.reading.progress import Progress
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot import Window


class Work(Protocol):
    """What a crew works on; it is asked and told by one thread at a time."""

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
        """Windows to read now, each named once; none while others are out."""

    def take(self, reply: Reply, started: int, ended: int) -> None:
        """Take a reply; ticks as in :class:`~airflow_provider_sela.snapshot.Response`."""


class Crew:
    """Threads that read what the work wants, and hand in what they read, one at a time.

    The threads are daemons, and nobody waits for a request that is no longer needed: a task that is killed or
    times out ends at once, not after the HTTP time-out.

    :param transport: where requests go out.
    :param filters: of the list.
    :param run: the read that this is part of.
    :param redact: leaves out what must not be written; default: nothing.
    """

    def __init__(
        self, transport: Transport, filters: Mapping[str, str], run: Run, redact: Redact | None = None
    ) -> None:
        self._transport = transport
        self._filters = filters
        self._run = run
        self._redact = redact
        self._clock = count()
        self._windows: deque[Window] = deque()
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def work(
        self, work: Work, size: int, progress: Progress, *, windows: Iterable[Window] = (), tick: int = 0
    ) -> None:
        """Work until it is over; raises the first failure.

        :param size: threads.
        :param windows: windows that the work has named already.
        :param tick: where the clock starts.
        """
        self._windows.extend(windows)
        self._clock = count(tick)
        threads = [
            threading.Thread(target=self._member, args=(work,), name=f"sela-{n}", daemon=True)
            for n in range(size)
        ]
        for thread in threads:
            thread.start()
        try:
            with self._changed:
                while not self._over(work):
                    self._changed.wait(1)
                    progress.tell(pages=self._run.requests, leads=work.leads, expected=work.expected)
        finally:
            self._run.called_off.set()
            with self._changed:
                self._changed.notify_all()
        if self._failure is not None:
            raise self._failure
        for thread in threads:
            thread.join()

    def _over(self, work: Work) -> bool:
        return self._failure is not None or work.over or self._run.called_off.is_set()

    def _member(self, work: Work) -> None:
        try:
            while (window := self._next(work)) is not None:
                started = next(self._clock)
                reply = Reply.of(window, self._ask(window), self._redact)
                self._hand_in(work, reply, started)
        except CalledOffError:
            pass
        except BaseException as error:  # noqa: BLE001 (told to the task's own thread, which raises it)
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
        finally:
            self._transport.release()

    def _next(self, work: Work) -> Window | None:
        with self._changed:
            while not self._over(work):
                if not self._windows:
                    self._windows.extend(work.wanted())
                if self._windows:
                    return self._windows.popleft()
                if not work.over:
                    self._changed.wait()
            self._changed.notify_all()
        return None

    def _ask(self, window: Window) -> Answer[RawLead] | None:
        try:
            return self._transport.read_raw(self._filters, window.page, window.page_size, run=self._run)
        except SelaPageGoneError:
            return None

    def _hand_in(self, work: Work, reply: Reply, started: int) -> None:
        with self._changed:
            if not self._over(work):
                work.take(reply, started, next(self._clock))
                # While windows are left, nobody waits for more of them.
                if not self._windows or self._over(work):
                    self._changed.notify_all()
