"""What a process holds: open files and sockets, threads, and files in a folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Belongings(NamedTuple):
    """Open descriptors by what they stand for, and live threads by name."""

    descriptors: list[str]
    threads: list[str]


def belongings() -> Belongings:
    """Those of this process, now."""
    found: list[str] = []
    for entry in Path("/proc/self/fd").iterdir():
        # The descriptor that lists the others is gone by now.
        with suppress(FileNotFoundError):
            # A socket's number would make every list differ.
            found.append(str(entry.readlink()).partition(":[")[0])
    return Belongings(sorted(found), sorted(thread.name for thread in threading.enumerate()))


def files(folder: Path) -> list[str]:
    """Every file below a folder, by its path in it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def eventually(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Whether something that ends in another thread or process holds within so long."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
