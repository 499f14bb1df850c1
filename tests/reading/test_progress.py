from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from airflow_provider_sela.reading.progress import Progress

log = logging.getLogger("tests.progress")


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_short_read_says_nothing(
    caplog: pytest.LogCaptureFixture, advance: Callable[[float], None]
) -> None:
    caplog.set_level(logging.INFO)
    told = Progress(log)
    for _ in range(9):
        advance(1)
        told.log_if_due(pages=1, leads=100, expected=200)
    assert lines(caplog) == []


def test_a_long_read_says_pages_leads_rate_and_time_left(
    caplog: pytest.LogCaptureFixture, advance: Callable[[float], None]
) -> None:
    caplog.set_level(logging.INFO)
    told = Progress(log)
    advance(10)
    told.log_if_due(pages=10, leads=1000, expected=5000)
    assert lines(caplog) == ["Sela: 10 pages, 1000 of 5000 leads, 100 leads/s, about 40 s left"]


def test_at_most_one_line_is_logged_in_10_seconds(
    caplog: pytest.LogCaptureFixture, advance: Callable[[float], None]
) -> None:
    caplog.set_level(logging.INFO)
    told = Progress(log)
    for second in range(60):
        advance(1)
        told.log_if_due(pages=second, leads=second, expected=60)
    assert len(lines(caplog)) == 6


@pytest.mark.parametrize(
    ("leads", "expected", "words"),
    [(0, 100, "0 of 100"), (7, None, "7 of ?"), (7, 0, "7 of 0"), (9, 5, "9 of 5")],
)
def test_unknown_or_contradicting_counts_leave_no_time_left(
    leads: int,
    expected: int | None,
    words: str,
    caplog: pytest.LogCaptureFixture,
    advance: Callable[[float], None],
) -> None:
    caplog.set_level(logging.INFO)
    told = Progress(log)
    advance(11)
    told.log_if_due(pages=1, leads=leads, expected=expected)
    [line] = lines(caplog)
    assert words in line
    assert "about 0 s left" in line
