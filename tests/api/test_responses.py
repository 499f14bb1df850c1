from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.responses import (
    TRANSIENT_STATUSES,
    date_microseconds,
    error_for,
    expires,
    retry_after,
)
from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaPageGoneError,
    SelaPermissionError,
    SelaRateLimitError,
    SelaRequestError,
    SelaResponseError,
    SelaSetupError,
    SelaUnavailableError,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("99999999999", 99999999999.0),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("soon", None),
        ("", None),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:01:00 -0000", 60.0),
        ("Mon, 23 Nov 2026 13:00:10 +0100", 10.0),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_retry_after_date_counts_from_now() -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    found = retry_after(soon)
    assert found is not None
    assert 295 < found <= 300


@given(
    st.text()
    | st.floats().map(str)
    | st.datetimes().map(lambda day: day.strftime("%a, %d %b %Y %H:%M:%S GMT"))
)
def test_retry_after_is_never_negative_and_never_fails(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(0, 10**7))
def test_both_forms_of_retry_after_ask_for_the_same_wait(seconds: int) -> None:
    date = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after(str(seconds), NOW) == retry_after(date, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "page", "kind", "words"),
    [
        (401, 1, SelaAuthenticationError, "Password"),
        (403, 1, SelaPermissionError, "ask Sela"),
        (404, 1, SelaSetupError, "set Host to https://api.trysela.com"),
        (404, 2, SelaPageGoneError, "page 2"),
        (407, 1, SelaSetupError, "proxy"),
        (429, 1, SelaRateLimitError, "429"),
        (408, 1, SelaUnavailableError, "408"),
        (425, 1, SelaUnavailableError, "425"),
        (500, 1, SelaUnavailableError, "500"),
        (502, 1, SelaUnavailableError, "502"),
        (503, 1, SelaUnavailableError, "503"),
        (504, 1, SelaUnavailableError, "504"),
        (400, 1, SelaRequestError, "check the filters"),
        (410, 3, SelaRequestError, "check the filters"),
        (300, 1, SelaSetupError, "Host"),
        (301, 1, SelaSetupError, "Host"),
        (399, 1, SelaSetupError, "Host"),
        (499, 1, SelaRequestError, "check the filters"),
        (204, 1, SelaResponseError, "report it"),
        (501, 1, SelaResponseError, "report it"),
        (999, 1, SelaResponseError, "report it"),
    ],
)
def test_each_status_is_an_error_with_its_remedy(
    status: int, page: int, kind: type[SelaError], words: str
) -> None:
    error = error_for(status, {}, b"", page=page)
    assert type(error) is kind
    assert words in str(error)


def test_success_is_no_error() -> None:
    assert error_for(200, {}, b"anything") is None


def test_exactly_the_statuses_of_the_moment_are_transient() -> None:
    assert sorted(TRANSIENT_STATUSES) == [408, 425, 429, 500, 502, 503, 504]
    for status in range(100, 600):
        error = error_for(status, {}, b"")
        assert isinstance(error, SelaUnavailableError) == (status in TRANSIENT_STATUSES)


def test_the_time_to_wait_travels_with_the_error() -> None:
    error = error_for(429, {"Retry-After": "12"}, b"")
    assert isinstance(error, SelaRateLimitError)
    assert error.retry_after == 12


def test_a_sentence_of_the_framework_is_quoted() -> None:
    error = error_for(401, {}, b'{"detail": "Invalid token."}')
    assert str(error).startswith("HTTP 401 (Invalid token): the token")
    assert str(error_for(401, {}, b"")).startswith("HTTP 401: the token")


@pytest.mark.parametrize(
    "body",
    [b'{"detail": "No lead ada@example.com for you."}', b'{"detail": ["ada@example.com"]}',
     b'["ada@example.com"]', b"ada@example.com", b'{"detail": {"ada@example.com": 1}}', b"[" * 5000],
)  # fmt: skip
def test_any_other_text_of_the_server_is_not_quoted(body: bytes) -> None:
    for status in (400, 401, 403, 404, 429, 500):
        assert "ada" not in str(error_for(status, {}, body))


def test_a_redirect_names_the_target_origin_but_not_its_path() -> None:
    error = error_for(302, {"Location": "https://login.example.com/?next=/api/leads/%3Femail=ada"}, b"")
    assert "https://login.example.com:443" in str(error)
    assert "ada" not in str(error)


@pytest.mark.parametrize("location", [None, "", "/elsewhere?email=ada", "http://[:"])
def test_a_redirect_to_nowhere_is_still_a_clear_error(location: str | None) -> None:
    error = error_for(302, {} if location is None else {"Location": location}, b"")
    assert "check Host" in str(error)
    assert "ada" not in str(error)


def test_the_servers_clock_is_read_from_its_date_header() -> None:
    assert date_microseconds("Mon, 23 Nov 2026 12:00:00 GMT") == int(NOW.timestamp()) * 1_000_000
    assert date_microseconds("Mon, 23 Nov 2026 12:00:00 -0000") == int(NOW.timestamp()) * 1_000_000


@pytest.mark.parametrize("value", [None, "", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT"])
def test_a_server_without_a_readable_clock_has_none(value: str | None) -> None:
    assert date_microseconds(value) is None


_NOON = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "Max-Age=60, s-maxage=600"}, 600),
        ({"Cache-Control": 'public, max-age="5"', "Expires": _NOON}, 5),
        ({"Cache-Control": "max-age=0, must-revalidate", "Expires": "Mon, 23 Nov 2026 12:00:30 GMT"}, 0),
        ({"Cache-Control": "max-age=60, private"}, None),
        ({"Cache-Control": "no-cache", "Expires": "Mon, 23 Nov 2026 12:00:30 GMT"}, None),
        ({"Cache-Control": "no-store"}, None),
        ({"Cache-Control": "max-age=soon"}, None),
        ({"Expires": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30),
        ({"Expires": "Mon, 23 Nov 2026 11:59:50 GMT"}, -10),
        ({"Expires": "0"}, None),
    ],
)
def test_how_long_a_shared_cache_may_give_an_answer_is_read_from_its_headers(
    headers: dict[str, str], seconds: int | None
) -> None:
    noon = date_microseconds(_NOON)
    assert noon is not None
    assert expires(headers, noon) == (None if seconds is None else noon + seconds * 1_000_000)


def test_without_a_date_an_answer_that_may_be_kept_still_counts_as_one() -> None:
    assert expires({"Cache-Control": "max-age=60"}, None) == 60_000_000
