"""``sela-demo`` as a program, and what it leaves running."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("sela-demo")
#: Until here, none of Airflow has started.
SERVED = "serves the leads ("
MIGRATED = "has a database of its own ("


def environment(**variables: str) -> dict[str, str]:
    """That of the tests with more variables, and without an Airflow or uv."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "UV"))}
    return {**kept, **variables}


def demo(
    *arguments: str | Path, cwd: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, with its output in pipes."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=cwd,
        env=environment(**(variables or {})),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def left_running(place: Path) -> dict[int, str]:
    """Commands, by process, of an Airflow that works in a demo's folder below this one."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        # Not by its variables, which a process overwrites that gives itself a title.
        with suppress(OSError):
            if place in (process / "cwd").readlink().parents:
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
    return found
