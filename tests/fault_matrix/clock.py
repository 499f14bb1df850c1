"""Waiting without the wait: the clock jumps, and what was waited is kept."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_sela.http.exchange import Run
from airflow_provider_sela.triggers.polling import Waiter

#: Seconds between two looks of whoever waits for a lead.
LOOK = 60.0


class StillWaitingError(BaseException):
    """Somebody has looked so often that the cell may end; no handler for ``Exception`` stops it."""


class Clock:
    """Replaces ``sleep`` of the transports, sensors and triggers, and the clock that they read.

    :param looks: the wait after so many looks ends in :class:`StillWaitingError`.
    :ivar waited: seconds, one number for each wait.
    :ivar on_wait: called in each wait.
    :ivar before_look: called in each wait for the next look.
    """

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.waited: list[float] = []
        self.passed = 0.0
        self.on_wait: Callable[[], object] = lambda: None
        self.before_look: Callable[[], object] = lambda: None

    def install(self, monkeypatch: Any) -> None:
        real_time, real_sleep, real_async, real_run = time.monotonic, time.sleep, asyncio.sleep, Run.sleep

        def run_sleep(run: Run, seconds: float) -> None:
            self.wait(seconds)
            real_run(run, 0)

        def thread_sleep(seconds: float) -> None:
            if threading.current_thread() is threading.main_thread():
                self.wait(seconds, look=True)
            else:
                real_sleep(seconds)

        async def loop_sleep(seconds: float, result: Any = None) -> Any:
            if seconds > 0:
                self.wait(seconds, look=seconds >= LOOK)
            return await real_async(0, result)

        async def waiter_sleep(waiter: Waiter, seconds: float) -> None:
            self.wait(seconds, look=True)
            await real_async(0)

        monkeypatch.setattr(time, "monotonic", lambda: real_time() + self.passed)
        monkeypatch.setattr(time, "sleep", thread_sleep)
        monkeypatch.setattr(asyncio, "sleep", loop_sleep)
        monkeypatch.setattr(Run, "sleep", run_sleep)
        monkeypatch.setattr(Waiter, "sleep", waiter_sleep)

    def wait(self, seconds: float, *, look: bool = False) -> None:
        """Let time pass for somebody who waits.

        :param look: it is the wait for the next look, not for the next attempt of a request.
        """
        self.waited.append(seconds)
        self.passed += seconds
        self.on_wait()
        if look:
            self.before_look()
            self.looks -= 1
            if self.looks < 0:
                raise StillWaitingError
