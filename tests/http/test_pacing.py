from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState, Retrying

from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaIncompleteError,
    SelaPageGoneError,
    SelaRateLimitError,
    SelaRequestError,
    SelaResponseError,
    SelaUnavailableError,
)
from airflow_provider_sela.http.pacing import Pacer, RetryBudget, retry_options


def test_without_a_cap_nobody_waits() -> None:
    pacer = Pacer(None)
    assert [pacer.reserve(10.0) for _ in range(5)] == [0.0] * 5


def test_a_cap_spaces_requests_evenly_whoever_asks() -> None:
    pacer = Pacer(4)
    assert [pacer.reserve(10.0) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    assert pacer.reserve(20.0) == 0.0


def test_time_that_was_not_used_is_not_saved_up_for_a_burst() -> None:
    pacer = Pacer(1)
    pacer.reserve(0.0)
    assert [pacer.reserve(100.0), pacer.reserve(100.0)] == [0.0, 1.0]


def test_a_pause_holds_everybody_until_it_ends() -> None:
    pacer = Pacer(None)
    pacer.pause(10.0, 5)
    assert pacer.reserve(11.0) == 4.0
    assert pacer.paused(11.0) == 4.0
    assert pacer.paused(16.0) == 0.0
    assert pacer.reserve(16.0) == 0.0


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pacer = Pacer(None)
    pacer.pause(10.0, 60)
    pacer.pause(11.0, 1)
    assert pacer.paused(20.0) == 50.0


def test_those_who_waited_for_a_pause_start_one_by_one_under_a_cap() -> None:
    pacer = Pacer(2)
    pacer.pause(0.0, 10)
    assert [pacer.reserve(1.0) for _ in range(3)] == [9.0, 9.5, 10.0]


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.floats(0, 20)), max_size=30), st.floats(0.1, 50))
def test_no_two_requests_are_closer_than_the_cap_allows(
    steps: list[tuple[float, bool, float]], cap: float
) -> None:
    pacer, now, sent = Pacer(cap), 0.0, []
    for gap, pause, seconds in steps:
        now += gap
        if pause:
            pacer.pause(now, seconds)
        else:
            sent.append(now + pacer.reserve(now))
    assert all(later - earlier >= 1 / cap - 1e-6 for earlier, later in pairwise(sent))


def test_a_budget_is_spent_once_by_all_threads_together() -> None:
    budget, taken = RetryBudget(100), list[bool]()

    def spend() -> None:
        taken.extend(budget.take(1) for _ in range(50))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count(True), taken.count(False)) == (100, 100)
    assert budget.left == 0
    assert not budget.take(0.001)
    assert budget.take(0)


class Attempts:
    """Runs the retry rules against a list of failures; sleeping is recorded instead of done."""

    def __init__(self, *failures: SelaError, attempts: int = 5, budget: float = 600) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.slept: list[float] = []
        self.told: list[int] = []
        self.budget = RetryBudget(budget)
        options = retry_options(attempts, self.budget, self._before_sleep)
        self._retrying = Retrying(**options, sleep=self.slept.append)

    def _before_sleep(self, state: RetryCallState) -> None:
        self.told.append(state.attempt_number)

    def run(self) -> str:
        return self._retrying(self._call)

    def _call(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.mark.parametrize(
    "error", [SelaUnavailableError("x"), SelaRateLimitError("x"), SelaResponseError("x")]
)
def test_failures_of_the_moment_are_tried_again(error: SelaError) -> None:
    attempts = Attempts(error, error)
    assert attempts.run() == "done"
    assert (attempts.calls, len(attempts.slept), attempts.told) == (3, 2, [1, 2])


@pytest.mark.parametrize(
    "error",
    [SelaAuthenticationError("x"), SelaRequestError("x"), SelaPageGoneError("x"), SelaIncompleteError("x")],
)
def test_what_another_request_cannot_mend_is_not_tried_again(error: SelaError) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error)):
        attempts.run()
    assert (attempts.calls, attempts.slept) == (1, [])


def test_the_number_of_attempts_includes_the_first_and_the_last_error_is_raised() -> None:
    attempts = Attempts(*(SelaUnavailableError(str(number)) for number in range(9)), attempts=3)
    with pytest.raises(SelaUnavailableError, match=r"^2$"):
        attempts.run()
    assert (attempts.calls, len(attempts.slept)) == (3, 2)


def test_one_attempt_never_sleeps() -> None:
    attempts = Attempts(SelaUnavailableError("x"), attempts=1)
    with pytest.raises(SelaUnavailableError):
        attempts.run()
    assert attempts.slept == []


def test_a_server_that_names_a_time_is_waited_for_exactly_that_long() -> None:
    attempts = Attempts(SelaRateLimitError("x", retry_after=7.5), SelaUnavailableError("x", retry_after=0))
    attempts.run()
    assert attempts.slept == [7.5, 0]


def test_otherwise_waits_are_random_up_to_a_bound_that_grows() -> None:
    """Full jitter: between nothing and 1, 2, 4, 8, 16, 30, 30 seconds."""
    bounds = [1, 2, 4, 8, 16, 30, 30]
    longest = [0.0] * len(bounds)
    shortest = [99.0] * len(bounds)
    for _ in range(200):
        attempts = Attempts(*[SelaUnavailableError("x")] * len(bounds), attempts=20)
        attempts.run()
        longest = [max(pair) for pair in zip(longest, attempts.slept, strict=True)]
        shortest = [min(pair) for pair in zip(shortest, attempts.slept, strict=True)]
    assert all(bound * 0.8 < found <= bound for found, bound in zip(longest, bounds, strict=True))
    assert all(found < bound * 0.2 for found, bound in zip(shortest, bounds, strict=True))


def test_all_waits_together_stay_within_the_budget() -> None:
    attempts = Attempts(*[SelaUnavailableError("x", retry_after=4)] * 9, attempts=10, budget=10)
    with pytest.raises(SelaUnavailableError):
        attempts.run()
    assert attempts.slept == [4, 4]
    assert attempts.budget.left == 2


def test_an_absurd_time_is_not_waited_for_but_told() -> None:
    attempts = Attempts(SelaRateLimitError("x", retry_after=10.0**9))
    with pytest.raises(SelaRateLimitError) as caught:
        attempts.run()
    assert attempts.slept == []
    assert caught.value.retry_after == 10.0**9


def test_without_a_budget_only_immediate_retries_happen() -> None:
    attempts = Attempts(
        SelaUnavailableError("x", retry_after=0), SelaUnavailableError("x", retry_after=1), budget=0
    )
    with pytest.raises(SelaUnavailableError):
        attempts.run()
    assert attempts.calls == 2
