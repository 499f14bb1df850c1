"""Moments and lengths of time as users and templates write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pendulum
import pytest

from airflow_provider_sela.api.moments import duration, moment
from airflow_provider_sela.exceptions import SelaRequestError

NOON = pendulum.datetime(2026, 2, 28, 12)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-28T12:00:00+00:00",
        "2026-02-28 04:00:00-08:00",
        " 2026-02-28T12:00:00Z ",
        str(NOON),
        NOON,
        datetime(2026, 2, 28, 12, tzinfo=UTC),
    ],
)
def test_a_moment_is_pendulums_whoever_wrote_it(value: object) -> None:
    found = moment("since", value)
    assert isinstance(found, pendulum.DateTime)
    assert found == NOON


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-02-28T12:00:00", "since has no time zone"),
        (datetime(2026, 2, 28), "since has no time zone"),  # noqa: DTZ001
        ("2026-02-28", "since has no time zone"),
        ("yesterday", "since is no moment"),
        ("None", "since is no moment"),
        (1_772_280_000, "since is no moment"),
    ],
)
def test_what_may_mean_many_moments_is_refused_in_words(value: object, words: str) -> None:
    with pytest.raises(SelaRequestError, match=words):
        moment("since", value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (timedelta(minutes=10), 600),
        (pendulum.duration(minutes=10), 600),
        ("PT10M", 600),
        ("P1DT1H", 90_000),
        ("P2W", 1_209_600),
        (str(timedelta(minutes=10)), 600),
        (str(timedelta(days=2, seconds=1, microseconds=500_000)), 172_801.5),
        ("1 day, 0:00:00", 86_400),
        (timedelta(), 0),
    ],
)
def test_a_length_of_time_is_read_as_python_iso_8601_and_templates_write_it(
    value: object, seconds: float
) -> None:
    assert duration("lookback", value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["600", 600, "ten minutes", "P", "PT", "P1Y", "-1 day, 23:00:00", None, ""])
def test_what_is_no_length_of_time_is_refused_with_the_forms_that_are(value: object) -> None:
    with pytest.raises(SelaRequestError, match=re.escape("such as PT10M (ISO 8601) or 0:10:00")):
        duration("lookback", value)


def test_a_negative_length_of_time_is_refused() -> None:
    with pytest.raises(SelaRequestError, match="lookback is negative"):
        duration("lookback", timedelta(seconds=-1))
