"""Every public parameter is documented, and nothing is documented that is not there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_sela import testing
from tests.docs.public import CALLED, CLASSES


def ours(kind: type) -> list[type]:
    return [base for base in kind.__mro__ if base.__module__.startswith("airflow_provider_sela")]


def arguments(function: Callable[..., Any]) -> set[str]:
    """Names of a function's own parameters."""
    found = inspect.signature(function).parameters.values()
    fixed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {one.name for one in found if one.kind not in fixed} - {"self", "cls"}


def documented(text: str | None) -> set[str]:
    return set(re.findall(r":param (\w+):", text or ""))


def constructor(kind: type) -> set[str]:
    return {
        name for base in ours(kind) if "__init__" in vars(base) for name in arguments(vars(base)["__init__"])
    }


def told(kind: type, method: str) -> set[str]:
    """Parameters in the docstring of a method, and in those that it names."""
    found, seen, waiting = set[str](), set[str](), {method}
    while waiting:
        seen.add(name := waiting.pop())
        text = getattr(kind, name).__doc__ or ""
        found |= documented(text)
        waiting |= set(re.findall(r":meth:`[~.]*(?:\w+\.)*(\w+)`", text)) - seen
    return found


METHODS = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in CALLED
    for name, _ in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_")
    and any(name in vars(base) for base in ours(kind))
    and arguments(getattr(kind, name))
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_argument_of_a_class_is_documented_and_nothing_else(kind: type) -> None:
    told = {name for base in ours(kind) for name in documented(base.__doc__)}
    assert told == constructor(kind)


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_every_argument_of_a_method_is_documented_there_or_where_it_points(kind: type, method: str) -> None:
    """``as in :meth:`iter_leads``` counts for the arguments that both have."""
    function = getattr(kind, method)
    assert documented(function.__doc__) <= arguments(function) <= told(kind, method)


@pytest.mark.parametrize("name", sorted(set(testing.__all__)))
def test_what_testing_exports_is_described(name: str) -> None:
    assert getattr(testing, name).__doc__
