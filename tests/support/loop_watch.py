"""Telling an event loop that is blocked from a machine that is busy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType

_TICK = 0.005


class LoopWatch:
    """Counts time by a thread beside the loop: where the whole process is held up, no time passes.

    Use it as a context manager around any number of :meth:`longest_block`.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def __enter__(self) -> LoopWatch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    async def longest_block(self, over: Callable[[], bool]) -> float:
        """Longest time in seconds for which the loop let nobody else run, until something is over."""
        longest = 0
        while not over():
            before = self._ticks
            await asyncio.sleep(_TICK)
            longest = max(longest, self._ticks - before)
        return longest * _TICK

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            self._ticks += 1
