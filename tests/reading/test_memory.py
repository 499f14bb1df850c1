"""A read of very many leads needs memory for their index, not for their bodies."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import REPOSITORY


def test_200_000_leads_take_less_than_100_MB() -> None:  # noqa: N802
    command = [sys.executable, "-m", "tests.reading.reading_lots", "200000"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout.splitlines()[-1])
    assert (taken["leads"], taken["verdict"]) == (200_000, "PROVEN(id)")
    assert taken["bytes"] < 100_000_000
