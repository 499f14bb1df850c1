"""How much memory a piece of work takes, measured in a process of its own."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.apart import apart


class Traced(NamedTuple):
    """Bytes that Python allocated for a piece of work: held at its end, and at most."""

    held: int
    peak: int


def traced(work: Callable[..., object], *arguments: Any) -> Traced:
    """Do a piece of work in a process of its own, twice: what it imports does not count.

    CPython 3.11 can crash where ``tracemalloc`` is stopped while a thread begins or ends, as those of test
    servers do. That process ends without stopping it.

    :param work: a function of a module; what it returns counts as held.
    """
    found: Traced = apart(_traced, work, arguments)
    return found


def _traced(work: Callable[..., object], arguments: tuple[Any, ...]) -> Traced:
    work(*arguments)
    tracemalloc.start()
    kept = work(*arguments)
    found = Traced(*tracemalloc.get_traced_memory())
    del kept
    return found
