"""The server's clock as a read sees it: corrected where the answers demand it, and no further."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_sela.reading.clock import ServerClock

NOW = 1_793_000_000.25


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed for the worker, who reads :data:`NOW` at the beginning."""
    passed = [0.0]

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(NOW, tz)

    monkeypatch.setattr("airflow_provider_sela.reading.clock.datetime", Datetime)
    monkeypatch.setattr(time, "monotonic", lambda: 1000 + passed[0])
    return passed


def hear(clock: ServerClock, passed: list[float], date: float, seconds: float = 0.5) -> None:
    """An answer that takes so many seconds, with a Date in whole seconds."""
    asked = clock.elapsed()
    passed[0] += seconds
    clock.heard(int(date) * 1_000_000, asked)


@pytest.mark.parametrize("ahead", [-0.4, -0.2, 0, 0.2])
def test_clocks_that_may_agree_are_left_alone(passed: list[float], ahead: float) -> None:
    clock = ServerClock()
    hear(clock, passed, NOW + 0.25 + ahead)
    assert clock.offset == 0
    assert clock.started == datetime.fromtimestamp(NOW, UTC)


@pytest.mark.parametrize("ahead", [-157_680_000.0, -3600.0, -2.0, 2.0, 3600.0, 157_680_000.0])
def test_clocks_that_differ_are_corrected_but_for_a_second_and_an_answer(
    passed: list[float], ahead: float
) -> None:
    clock = ServerClock()
    for answers in range(20):
        hear(clock, passed, NOW + ahead + 0.25 + answers * 0.55, 0.55)
    assert abs(clock.offset - ahead) <= 1.55
    assert abs(clock.started - datetime.fromtimestamp(NOW + ahead, UTC)) <= timedelta(seconds=1.55)


def test_the_old_answer_of_a_cache_changes_nothing(passed: list[float]) -> None:
    clock = ServerClock()
    hear(clock, passed, NOW - 7200)
    assert clock.offset < -7000
    hear(clock, passed, NOW + 0.75)
    hear(clock, passed, NOW - 7200)
    assert clock.offset == 0


def test_a_wait_before_an_answer_is_no_difference(passed: list[float]) -> None:
    clock = ServerClock()
    hear(clock, passed, NOW + 0.2, seconds=300)
    assert clock.offset == 0


def test_without_a_date_the_workers_clock_stands(passed: list[float]) -> None:
    clock = ServerClock()
    clock.heard(None, 0.0)
    assert (clock.offset, clock.started) == (0, datetime.fromtimestamp(NOW, UTC))
