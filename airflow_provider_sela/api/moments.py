"""Moments and durations as parameters: Python's, pendulum's, or a text that a template leaves."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pendulum

from airflow_provider_sela.exceptions import SelaRequestError

_MOMENT_FORM = "such as 2026-02-28T15:09:03+00:00"
_DURATION_FORM = "a timedelta, or a text such as PT10M (ISO 8601) or 0:10:00"
# How str() writes a timedelta. Not compiled before a text is read: DAG files import this every few seconds.
_CLOCK = r"(?:([0-9]{1,6}) days?, )?([0-9]{1,2}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,6})?)"
_ISO = r"P(?!$)(?:[0-9]+W)?(?:[0-9]+D)?(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?"


def moment(name: str, value: object) -> pendulum.DateTime:
    """A moment that names its time zone."""
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            raise SelaRequestError(f"{name} is no moment: expected is one {_MOMENT_FORM}") from None
    if not isinstance(found, datetime):
        raise SelaRequestError(f"{name} is no moment: expected is one {_MOMENT_FORM}")
    if found.tzinfo is None:
        raise SelaRequestError(
            f"{name} has no time zone, so that it may mean many moments: write one {_MOMENT_FORM}"
        )
    return pendulum.instance(found)


def duration(name: str, value: object) -> timedelta:
    """A length of time that is not negative."""
    found = _duration(value.strip()) if isinstance(value, str) else value
    if not isinstance(found, timedelta):
        raise SelaRequestError(f"{name} is no length of time: expected is {_DURATION_FORM}")
    if found < timedelta():
        raise SelaRequestError(f"{name} is negative: it starts at 0")
    return timedelta(seconds=found.total_seconds())


def _duration(text: str) -> object:
    clock = re.fullmatch(_CLOCK, text)
    if clock is not None:
        days, hours, minutes, seconds = clock.groups(default="0")
        return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return pendulum.parse(text) if re.fullmatch(_ISO, text) else None
