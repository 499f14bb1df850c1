"""Parameters as a template leaves them: a reader for each kind of value.

A template gives text, so that False arrives as ``"False"``, a list as ``"['CLOSED']"`` and None as
``"None"``. A reader takes the value itself or such a text, and refuses what it cannot read.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from math import inf
from os import PathLike
from typing import Any, Literal, Protocol, get_args

from airflow_provider_sela.exceptions import SelaRequestError

#: Where completeness could not be established.
OnUnverified = Literal["fail", "warn"]

#: Takes a parameter's name and value, and gives the value in its own type or raises SelaRequestError.
Reader = Callable[[str, Any], Any]

_TEMPLATE = re.compile(r"\{[{%#]")
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Task(Protocol):
    """An operator or a sensor.

    :ivar readers: how each of its parameters is read, by the parameter's name.
    """

    readers: Mapping[str, Reader]


def text(name: str, value: object) -> str:
    """Text that is not empty; a whole number is taken for its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or value == "" or str(value).isspace():
        raise SelaRequestError(f"{name} is empty: give it a value, or leave it out if it may be")
    if not isinstance(value, str):
        raise SelaRequestError(
            f"{name} is no text: {type(value).__name__}. Where the DAG renders native objects, quotes around"
            " a template keep its text"
        )
    if value.strip() == "None":
        raise SelaRequestError(
            f"{name} is the text None, which a template makes of a value that is missing: give the template a"
            " default, or let the DAG render native objects (render_template_as_native_obj=True)"
        )
    return value


def is_encodable(value: str) -> bool:
    """Whether a text is all characters: half of one (an unpaired surrogate) fits no URL and no file name."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def boolean(name: str, value: object) -> bool:
    """True or False, or a text or number that says so."""
    found = _BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise SelaRequestError(f"{name} is {value!r}: allowed are True and False")
    return found


def whole_number(name: str, value: object, *, least: int = 1, most: int | None = None) -> int:
    """A whole number.

    :param least: the smallest number that makes sense.
    :param most: the largest one; default: any.
    """
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        raise SelaRequestError(f"{name} is not a whole number")
    number = int(str(value))
    if number < least:
        raise SelaRequestError(f"{name} is {number}: it starts at {least}")
    if most is not None and number > most:
        raise SelaRequestError(f"{name} is {number}: allowed is {least} to {most}")
    return number


def from_zero(name: str, value: object) -> int:
    """A whole number that may be 0."""
    return whole_number(name, value, least=0)


def seconds(name: str, value: object) -> float:
    """A time above 0, in seconds."""
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if isinstance(value, bool) or not 0 < number < inf:
        raise SelaRequestError(f"{name} is {value!r}: expected is a number of seconds above 0")
    return number


def instant(name: str, value: object) -> float:
    """A number of seconds, 0 or more: since the epoch, or of a wait that may be none."""
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not number >= 0:
        raise SelaRequestError(f"{name} is {value!r}: expected is a number of seconds, 0 or more")
    return number


def number_or_share(name: str, value: object) -> int | float:
    """A whole number, or a share below 1."""
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not (0 <= number < 1 or (number >= 1 and number.is_integer())):
        raise SelaRequestError(
            f"{name} is {value!r}: expected is a number such as 10, or a share of the whole such as 0.1"
        )
    return number if number < 1 else int(number)


def texts(name: str, value: object) -> list[str]:
    """A list of texts; in one text, names stand between commas or as the list that a template makes."""
    if isinstance(value, str):
        written = value.strip()[:1] in ("[", "(", "{")
        value = plain_data(name, value) if written else [item.strip() for item in value.split(",")]
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping):
        raise SelaRequestError(f"{name} is no list of texts")
    return [text(name, item) for item in value]


def some_texts(name: str, value: object) -> list[str]:
    """A list of texts with one at least, for what would never come true for none."""
    found = texts(name, value)
    if not found:
        raise SelaRequestError(f"{name} is an empty list: name one, or leave it out (None) for any")
    return found


def plain_data(_name: str, value: object) -> Any:
    """A list or mapping that a text holds, as JSON or Python writes it; anything else as it is."""
    if isinstance(value, str):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                found = read(value)
                return found if isinstance(found, list | tuple | set | dict) else value
    return value


def choice(*allowed: str) -> Reader:
    """Reader of one of a few words."""

    def read(name: str, value: object) -> str:
        if value not in allowed:
            words = f"{', '.join(allowed[:-1])} and {allowed[-1]}"
            raise SelaRequestError(f"{name} is {value!r}: allowed are {words}")
        return str(value)

    return read


#: Reader of what to do where completeness could not be established.
unverified_choice = choice(*get_args(OnUnverified))


def optional(reader: Reader) -> Reader:
    """Reader of a parameter that may be left out; None stays None."""
    return lambda name, value: None if value is None else reader(name, value)


def settled(value: object) -> bool:
    """Whether a value is known while a DAG is parsed: nothing that Airflow renders or resolves in a run."""
    if isinstance(value, str | PathLike):
        return not _TEMPLATE.search(str(value))
    if isinstance(value, Mapping):
        return all(map(settled, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(settled, value))
    return not (callable(value) or hasattr(value, "resolve") or hasattr(value, "template_fields"))


def check_settled(task: Task, *names: str) -> None:
    """Refuse while a DAG is parsed what no run can mend; a pure function, since that is every few seconds.

    :param task: as its author wrote it. What Airflow makes of a mapped one in a run is left to the run.
    :raises SelaRequestError: a parameter that is settled cannot be read; the message names it.
    """
    for name in () if mapped(task) else names:
        value = getattr(task, name)
        if settled(value):
            task.readers[name](name, value)


def mapped(task: object) -> bool:
    """Whether Airflow made the task in a run, of one that is mapped: an error then belongs to the run."""
    # No public name says so, from 2.11 to 3.3: the argument that does never reaches the task, and the task's
    # other attributes are those of any. Without this one a bad value is refused too, but with a retry.
    return bool(getattr(task, "_BaseOperator__from_mapped", False))


def read_parameters(task: Task) -> None:
    """Put in place of each parameter of a task what its reader makes of it; doing it twice changes nothing.

    :param task: with its templates rendered.
    :raises SelaRequestError: one cannot be read; the message names it.
    """
    for name, reader in task.readers.items():
        setattr(task, name, reader(name, getattr(task, name)))
