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
    ("leads", "expected", "line"),
    [
        (0, None, "Sela: 4 pages, no lead so far"),
        (0, 100, "Sela: 4 pages, no lead of 100 so far"),
        (7, None, "Sela: 4 pages, 7 leads, 1 leads/s"),
        (7, 0, "Sela: 4 pages, 7 of 0 leads, 1 leads/s"),
        (9, 5, "Sela: 4 pages, 9 of 5 leads, 1 leads/s"),
    ],
)
def test_where_the_time_left_is_not_known_none_is_told(
    leads: int,
    expected: int | None,
    line: str,
    caplog: pytest.LogCaptureFixture,
    advance: Callable[[float], None],
) -> None:
    caplog.set_level(logging.INFO)
    told = Progress(log)
    advance(10)
    told.log_if_due(pages=4, leads=leads, expected=expected)
    assert lines(caplog) == [line]
