"""Through a storm of faults and writes, the table holds every lead that existed throughout, as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos import storm

#: The command that runs thirty is ``python -m tests.chaos.storm --seeds 30``.
SEEDS = int(os.environ.get("SELA_CHAOS_SEEDS", "1"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_lead_that_existed_throughout_is_in_the_table_as_it_was(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SELA_DEFAULT", "WAREHOUSE"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "")
    with storm.haste():
        outcome = storm.load(seed, tmp_path)
    assert (outcome.lost, outcome.wrong) == (0, 0), outcome
    assert outcome.verdict == f"PROVEN({outcome.order})"
    assert outcome.struck.total() > 10
    assert outcome.changed > 100
