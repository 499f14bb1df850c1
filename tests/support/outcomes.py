"""What becomes of the tasks of a script that runs a DAG in the installed Airflow and prints it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def outcomes_of(script: Path) -> dict[str, dict[str, Any]]:
    """Run a script, with nothing of this process's Airflow; gives what it printed of each task."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    ended = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("OUTCOMES ")]
    assert lines, (ended.stdout + ended.stderr)[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(lines[-1].removeprefix("OUTCOMES "))
    return found
