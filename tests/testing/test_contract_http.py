"""Tokens, paths, methods, errors: the sample API answers as a real Django REST Framework application."""

from __future__ import annotations

import json

import pytest

from airflow_provider_sela.testing import drf
from tests.testing import drf_app
from tests.testing.client import TOKEN, ask_raw
from tests.testing.side_by_side import Pair, comparable

AUTHORIZATIONS = [
    None,
    "",
    "Token",
    "Token ",
    "Token wrong",
    "Token sela-test-toke",
    "Token SELA-TEST-TOKEN",
    "Token sela-test-token",
    "token sela-test-token",
    "TOKEN\tsela-test-token",
    "Token  sela-test-token",
    "Token sela-test-token twice",
    "Token Token sela-test-token",
    "Token \xff\xfe",
    "Bearer sela-test-token",
    "Tokensela-test-token",
    "sela-test-token",
]


@pytest.mark.parametrize("target", ["/api/leads/", "/api/leads/28001/"])
@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
def test_a_token_header_gets_drfs_answer(pair: Pair, authorization: str | None, target: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    expected, got = pair.ask(target, token=None, headers=headers)
    assert comparable(got) == comparable(expected)


def test_a_token_sent_twice_gets_drfs_answer(pair: Pair) -> None:
    again = f"Authorization: Token {TOKEN}\r\n"
    expected, got = (ask_raw(url, more=again) for url in (pair.drf_url, pair.api.url))
    assert comparable(got) == comparable(expected)
    assert got.status == 401


TARGETS = [
    ("GET", "/"),
    ("GET", "/api/"),
    ("GET", "/api/leads"),
    ("GET", "/api/leads?page=2&q=a%20b"),
    ("POST", "/api/leads"),
    ("GET", "/api/leads/28001"),
    ("GET", "/api/leads/28001/"),
    ("GET", "/api/leads/28001/?page=9&x=1"),
    ("GET", "/api/leads/28017/"),
    ("GET", "/api/leads/1/"),
    ("GET", "/api/leads/028001/"),
    ("GET", "/api/leads/-1/"),
    ("GET", "/api/leads/abc/"),
    ("GET", "/api/leads/28001/calls/"),
    ("GET", "/api/%6Ceads/?page=2"),
    ("GET", "/API/leads/"),
    ("HEAD", "/api/leads/"),
    ("HEAD", "/api/leads/?page=99"),
    ("HEAD", "/api/leads/28001/"),
    ("OPTIONS", "/api/leads/"),
    ("OPTIONS", "/api/leads/28001/"),
    ("POST", "/api/leads/"),
    ("PUT", "/api/leads/28001/"),
    ("PATCH", "/api/leads/28001/"),
    ("DELETE", "/api/leads/28001/"),
    ("DELETE", "/api/leads/"),
    ("TRACE", "/api/leads/"),
]


@pytest.mark.parametrize(("method", "target"), TARGETS)
def test_a_method_and_path_get_drfs_answer(pair: Pair, method: str, target: str) -> None:
    body = b'{"email": "new@example.com"}' if method in ("POST", "PUT", "PATCH") else None
    expected, got = pair.ask(target, method=method, body=body, headers={"Content-Type": "application/json"})
    assert comparable(got) == comparable(expected)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_wrong_token_comes_before_a_wrong_method(pair: Pair, method: str) -> None:
    expected, got = pair.ask("/api/leads/?page=99", method=method, token="wrong")
    assert comparable(got) == comparable(expected)
    assert got.status == 401


def test_a_token_without_rights_gets_drfs_answer(pair: Pair) -> None:
    pair.api.answer_next(403)
    expected, got = pair.ask("/api/leads/", token=drf_app.TOKEN_WITHOUT_RIGHTS)
    assert comparable(got) == comparable(expected)
    assert got.status == 403


def test_too_many_requests_get_drfs_answer(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair.api, "rate_limit", 1 / 60)
    with drf_app.throttled("1/min"):
        first = pair.ask("/api/leads/")
        second = pair.ask("/api/leads/")
        other_method = pair.ask("/api/leads/", method="POST")
    assert [got.status for _, got in (first, second, other_method)] == [200, 429, 429]
    assert second[1].headers["retry-after"] == "60"
    for expected, got in (first, second, other_method):
        assert comparable(got) == comparable(expected)


@pytest.mark.parametrize("wait", [0.01, 1.0, 1.01, 2.0, 59.5, 3600.0])
def test_the_wait_is_worded_as_drf_words_it(wait: float) -> None:
    got = drf.throttled(wait)
    assert (json.loads(got.body)["detail"], got.headers["Retry-After"]) == drf_app.wording_of_wait(wait)


def test_a_crash_gets_djangos_answer(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(drf_app.LeadList, "get_queryset", crash)
    monkeypatch.setattr(pair.api, "select", crash)
    expected, got = pair.ask("/api/leads/")
    assert comparable(got) == comparable(expected)
    assert got.status == 500


@pytest.mark.parametrize("text", ["\u2028 and \u2029", "\x00\x7f</script>", "\U0001f33b בן־דוד 𠮷", '"\\/\n'])
def test_json_is_written_byte_for_byte_as_drf_writes_it(pair: Pair, text: str) -> None:
    before = dict(pair.api.leads)
    lead = {**before[28000], "metadata": {text: [text, 1.5, 1e300, -0.0, 10**30, True, None]}}
    pair.api.leads[28000] = lead
    drf_app.Lead.objects.filter(id=28000).update(body=lead)
    try:
        expected, got = pair.ask("/api/leads/28000/")
        assert comparable(got) == comparable(expected)
        assert got.json() == lead
    finally:
        pair.api.leads.update(before)
        drf_app.Lead.objects.filter(id=28000).update(body=before[28000])
