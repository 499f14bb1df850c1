from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.responses import (
    LONGEST_RETRY_AFTER,
    TRANSIENT_STATUSES,
    age,
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

HTML = b"<!doctype html><title>Blocked</title>"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("86400", 86_400.0),
        ("86401", 86_400.0),
        ("999999999", 86_400.0),
        # Seconds since 1970, as some gateways write it: the moment is meant.
        (str(int(NOW.timestamp()) + 30), 30.0),
        (str(int(NOW.timestamp()) - 30), 0.0),
        (str(int(NOW.timestamp()) + 90_000), 86_400.0),
        ("99999999999", 86_400.0),
        ("99999999999999999999", 86_400.0),
        ("Tue, 24 Nov 2026 12:00:01 GMT", 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
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
def test_retry_after_is_never_negative_nor_above_a_day_and_never_fails(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER == 86_400


@given(st.integers(0, 10**7))
def test_both_forms_of_retry_after_ask_for_the_same_wait(seconds: int) -> None:
    date = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after(str(seconds), NOW) == retry_after(date, NOW) == min(seconds, LONGEST_RETRY_AFTER)


def test_a_date_to_retry_after_counts_by_the_servers_own_clock() -> None:
    """That of this machine may be an hour off."""
    headers = {"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}
    error = error_for(429, headers, b"")
    assert error is not None
    assert error.retry_after == 30


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Age": "7"}, 7),
        ({"Age": "soon"}, 0),
        ({"Age": "7", "X-Cache": "Hit from cloudfront"}, 7),
        ({"Age": "0", "X-Cache": "Hit from cloudfront"}, 1),
        ({"X-Cache": "HIT"}, 1),
        ({"X-Cache": "MISS, HIT"}, 1),
        ({"X-Cache": "HIT from proxy.example.com"}, 1),
        ({"X-Cache": "Miss from cloudfront"}, 0),
        ({"X-Cache": "RefreshHit from cloudfront"}, 0),
        ({"CF-Cache-Status": "HIT"}, 1),
        ({"CF-Cache-Status": "STALE"}, 1),
        ({"CF-Cache-Status": "DYNAMIC"}, 0),
        ({"CF-Cache-Status": "REVALIDATED"}, 0),
        ({"Cache-Status": 'ExampleCache; hit; ttl=376; key="hits"'}, 1),
        ({"Cache-Status": "OriginCache; fwd=miss, CDN; hit"}, 1),
        ({"Cache-Status": "CDN; hit=?1"}, 1),
        ({"Cache-Status": "CDN; hit=?0; fwd=stale"}, 0),
        ({"Cache-Status": "hit; fwd=uri-miss"}, 0),
    ],
)
def test_an_answer_that_a_cache_had_kept_is_a_second_old_at_least(
    headers: dict[str, str], seconds: int
) -> None:
    assert age(headers) == seconds


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
        (507, 1, SelaUnavailableError, "507"),
        (520, 1, SelaUnavailableError, "520"),
        (529, 1, SelaUnavailableError, "529"),
        (598, 1, SelaUnavailableError, "598"),
        (451, 1, SelaSetupError, "for legal reasons"),
        (511, 1, SelaSetupError, "wants a log-in"),
        (400, 1, SelaRequestError, "check the filters"),
        (410, 1, SelaRequestError, "check the filters"),
        (400, 2, SelaPageGoneError, "page 2"),
        (403, 2, SelaPageGoneError, "pages only so far"),
        (410, 3, SelaPageGoneError, "page 3"),
        (416, 3, SelaPageGoneError, "page 3"),
        (422, 3, SelaPageGoneError, "page 3"),
        (401, 2, SelaAuthenticationError, "Password"),
        (300, 1, SelaSetupError, "Host"),
        (301, 1, SelaSetupError, "Host"),
        (399, 1, SelaSetupError, "Host"),
        (499, 1, SelaRequestError, "check the filters"),
        (204, 1, SelaResponseError, "report it"),
        (501, 1, SelaResponseError, "report it"),
        (505, 1, SelaResponseError, "report it"),
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
    assert sorted(TRANSIENT_STATUSES) == [
        408, 425, 429, *(status for status in range(500, 600) if status not in (501, 505, 511)),
    ]  # fmt: skip
    for status in range(100, 1000):
        for body in (b"", HTML):
            error = error_for(status, {}, body)
            assert isinstance(error, SelaUnavailableError) == (status in TRANSIENT_STATUSES)


@pytest.mark.parametrize("status", sorted(TRANSIENT_STATUSES))
def test_every_status_of_the_moment_carries_the_time_to_wait(status: int) -> None:
    error = error_for(status, {"Retry-After": "120"}, HTML)
    assert error is not None
    assert error.retry_after == 120


@pytest.mark.parametrize("status", [400, 401, 403, 405, 406, 413, 418, 431, 444, 499, 501, 505, 999])
@pytest.mark.parametrize(
    "body",
    [b"<html><title>403 Forbidden</title>", b"\xef\xbb\xbf\r\n<!doctype html>", b"error code: 1020",
     b"RBAC: access denied", "Zugriff verweigert für ada@example.com".encode("latin-1")],
)  # fmt: skip
def test_a_refusal_that_is_not_the_apis_is_nothing_that_sela_can_mend(status: int, body: bytes) -> None:
    """As of a firewall, a proxy, a gateway: their pages are no JSON."""
    error = error_for(status, {}, body)
    assert type(error) is SelaSetupError
    assert f"HTTP {status}, and not in the API's words: something on the way refused" in str(error)
    assert "ask Sela" not in str(error)
    assert "ada" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(401, SelaAuthenticationError, "Password"), (403, SelaPermissionError, "ask Sela")],
)
@pytest.mark.parametrize(
    "body", [b"", b"{}", b'\n{"detail": "x"}', b'["x"]', b'{"code": "' + b"x" * 5000 + b'"}']
)
def test_a_refusal_in_json_is_the_apis(status: int, kind: type[SelaError], words: str, body: bytes) -> None:
    error = error_for(status, {}, body)
    assert type(error) is kind
    assert words in str(error)


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
