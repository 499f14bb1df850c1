"""The sample API drifts, lies, refuses and crashes when a test asks it to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_sela.testing import Page, SelaApi, sample_leads
from tests.testing.client import ask, ask_once, connect


def test_a_subclass_may_change_the_list_before_each_page() -> None:
    class Shrinking(SelaApi):
        def select(self, filters: dict[str, str]) -> Sequence[Any]:
            self.delete(min(self.leads))
            return super().select(filters)

    with Shrinking(leads=21, page_size=10) as api:
        connection = connect(api.url)
        assert ask(connection).ids() == list(range(28001, 28011))
        assert ask(connection, "/api/leads/?page=2").ids() == list(range(28012, 28021))
        connection.close()


def test_a_subclass_may_lie_about_pages() -> None:
    class Lying(SelaApi):
        def paginate(self, leads: Sequence[Any], page: str, page_size: int, query: Any) -> Page:
            honest = super().paginate(leads, page, page_size, query)
            return Page(-1, [{"count": 1, "results": list(honest.results)}], "http://evil.example/", 7)

    with Lying(leads=2) as api:
        answer = ask_once(api.url, "/api/leads/?x=1").json()
    assert answer["count"] == -1
    assert answer["next"] == "http://evil.example/"
    assert answer["previous"] == f"{api.url}/api/leads/?page=7&x=1"
    assert answer["results"] == [{"count": 1, "results": sample_leads(2)}]


def test_answers_to_order_come_in_turn_and_then_it_is_honest_again() -> None:
    with SelaApi(leads=1) as api:
        api.answer_next(503, times=2, headers={"Retry-After": "3"})
        api.answer_next(429, headers={"retry-after": "9", "X-More": "1"})
        api.answer_next(200, body={"count": 0})
        connection = connect(api.url)
        answers = [ask(connection, token="even a wrong one") for _ in range(5)]
        connection.close()
    assert [answer.status for answer in answers] == [503, 503, 429, 200, 401]
    assert [answer.headers.get("retry-after") for answer in answers] == ["3", "3", "9", None, None]
    assert answers[2].headers["x-more"] == "1"
    assert answers[3].json() == {"count": 0}
    assert [request.status for request in api.requests] == [503, 503, 429, 200, 401]


def test_a_clock_that_is_wrong_can_be_had() -> None:
    date = "Sat, 01 Jan 2000 00:00:00 GMT"
    with SelaApi(leads=1) as api:
        api.answer_next(200, body=[], headers={"date": date, "SERVER": "gateway"})
        headers = ask_once(api.url).headers
    assert (headers["date"], headers["server"]) == (date, "gateway")


@pytest.mark.parametrize(
    ("status", "content_type", "in_body"),
    [
        (401, "application/json", b'{"detail":"Invalid token."}'),
        (403, "application/json", b'{"detail":"You do not have permission to perform this action."}'),
        (404, "application/json", b'{"detail":"Invalid page."}'),
        (429, "application/json", b'{"detail":"Request was throttled. Expected available in 1 second."}'),
        (418, "application/json", b'{"detail":"I\'m a Teapot"}'),
        (500, "text/html; charset=utf-8", b"Server Error (500)"),
        (502, "text/html; charset=utf-8", b"502 Bad Gateway"),
        (503, "text/html; charset=utf-8", b"503 Service Unavailable"),
        (504, "text/html; charset=utf-8", b"504 Gateway Timeout"),
        (520, "text/html; charset=utf-8", b"520"),
    ],
)
def test_an_answer_to_order_looks_as_usual(status: int, content_type: str, in_body: bytes) -> None:
    with SelaApi(leads=1) as api:
        api.answer_next(status)
        answer = ask_once(api.url)
    assert (answer.status, answer.headers["content-type"]) == (status, content_type)
    assert in_body in answer.body


@pytest.mark.parametrize(
    ("body", "sent"), [(b"\xff{", b"\xff{"), ("é", b"\xc3\xa9"), ([1], b"[1]"), ({}, b"{}")]
)
def test_a_body_to_order_goes_out_as_it_is(body: Any, sent: bytes) -> None:
    with SelaApi(leads=1) as api:
        api.answer_next(200, body=body, headers={"Content-Type": "text/plain"})
        answer = ask_once(api.url)
    assert answer.body == sent
    assert answer.headers["content-type"] == "text/plain"


def test_beyond_the_rate_limit_a_client_waits_and_goes_on() -> None:
    with SelaApi(leads=1) as api:
        api.rate_limit = 2
        connection = connect(api.url)
        answers = [ask(connection) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "1"
        time.sleep(1)
        assert ask(connection).status == 200
        connection.close()


def test_a_crash_in_a_subclass_is_a_500_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SelaApi):
        def select(self, filters: dict[str, str]) -> Sequence[Any]:
            raise ZeroDivisionError

    with Broken(leads=1) as api:
        assert ask_once(api.url).status == 500
    assert "ZeroDivisionError" in caplog.text
