from __future__ import annotations

import inspect
import pickle

import pytest

from airflow_provider_sela import exceptions
from airflow_provider_sela.exceptions import SelaError, SelaRateLimitError, SelaUnavailableError

CLASSES = inspect.getmembers(exceptions, inspect.isclass)
ERRORS = [found for _, found in CLASSES if issubclass(found, SelaError)]
RETRYABLE = {
    "SelaUnavailableError", "SelaRateLimitError", "SelaResponseError", "SelaIncompleteError",
    "SelaPageGoneError",
    "SelaTargetUnavailableError",
}  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_drawn_in_the_tree_and_says_what_it_means(error: type[SelaError]) -> None:
    assert error.__doc__
    assert f" {error.__name__} " in f" {exceptions.__doc__} ".replace("\n", " ")


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_says_whether_the_same_call_may_succeed_later(error: type[SelaError]) -> None:
    assert error.retryable == (error.__name__ in RETRYABLE)


def test_a_wrong_argument_is_also_a_value_error() -> None:
    assert issubclass(exceptions.SelaRequestError, ValueError)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_survives_the_way_between_processes(error: type[SelaError]) -> None:
    copy = pickle.loads(pickle.dumps(error("what happened")))  # noqa: S301 (our own bytes)
    assert type(copy) is error
    assert str(copy) == "what happened"


def test_the_time_to_wait_survives_the_way_between_processes() -> None:
    error = SelaRateLimitError("x", retry_after=3.5)
    error.args = ("connection 'sela_default': x",)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert isinstance(copy, SelaUnavailableError)
    assert (copy.retry_after, str(copy)) == (3.5, "connection 'sela_default': x")
