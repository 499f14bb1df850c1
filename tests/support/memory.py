"""How much memory a piece of work takes, measured in a process of its own."""

from __future__ import annotations

import json
import os
import traceback
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple


class Traced(NamedTuple):
    """Bytes that Python allocated for a piece of work: held at its end, and at most."""

    held: int
    peak: int


def traced(work: Callable[[], object]) -> Traced:
    """Do a piece of work in a copy of this process, which has one thread.

    CPython 3.11 can crash where ``tracemalloc`` is stopped while a thread begins or ends, as those of test
    servers do. The copy ends without stopping it.

    :param work: what it returns counts as held.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            tracemalloc.start()
            kept = work()
            os.write(sender, json.dumps(tracemalloc.get_traced_memory()).encode())
            del kept
        except BaseException:  # noqa: BLE001 (the parent fails in its place)
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    assert told, "the work failed: standard error says why"
    return Traced(*json.loads(told))
