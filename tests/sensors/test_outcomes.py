"""The table of docs/waiting.md: every condition in every mode, by a DAG run of the installed Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.outcomes import outcomes_of

pytestmark = pytest.mark.airflow

SCRIPT = Path(__file__).parent / "dags" / "outcomes.py"
MODES = ("poke", "reschedule", "deferrable")
SUCCESS = {"state": "success", "tries": 1, "lead": 7}
FAILED_AT_ONCE = {"state": "failed", "tries": 1, "lead": None}
FAILED_AFTER_RETRY = {"state": "failed", "tries": 2, "lead": None}
SKIPPED = {"state": "skipped", "tries": 1, "lead": None}
EXPECTED = {
    "there": SUCCESS,
    "later": SUCCESS,
    "blips": SUCCESS,
    "timeout": FAILED_AT_ONCE,
    "timeout_soft_fail": SKIPPED,
    "token": FAILED_AT_ONCE,
    "token_soft_fail": FAILED_AT_ONCE,
    "token_later_soft_fail": FAILED_AT_ONCE,
    "down": FAILED_AFTER_RETRY,
    "down_soft_fail": FAILED_AFTER_RETRY,
    "empty": FAILED_AT_ONCE,
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """What became of each task."""
    return outcomes_of(SCRIPT)


@pytest.mark.parametrize("condition", EXPECTED)
def test_all_modes_end_alike(outcomes: dict[str, dict[str, Any]], condition: str) -> None:
    assert {mode: outcomes[f"{condition}.{mode}"] for mode in MODES} == dict.fromkeys(
        MODES, EXPECTED[condition]
    )
