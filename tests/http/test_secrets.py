"""Neither the token nor what a lead or a filter says shows anywhere but on the wire."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.retry import failing_fast
from airflow_provider_sela.settings import Settings
from tests.support import faults
from tests.support.connections import Fields
from tests.support.faults import Act, FaultServer, Received, Wire, http, nobody, page_body, reply
from tests.support.proxy import Proxy
from tests.support.tls import Authority

Logged = Callable[[], str]

TOKEN = "pl4nted-t0k3n"
FILTERS: dict[str, Any] = {
    "email": "planted.filter@example.com", "external_id": "planted-crm-77", "phone_number": "+18045550177",
}  # fmt: skip
LEAD = {
    "id": 4711,
    "email": "planted.lead@example.com",
    "phone_number": "+18045550188",
    "metadata": {"n": "Plantagenet"},
}
SECRETS = (
    TOKEN,
    "pl4nted",
    "planted.filter",
    "planted-crm",
    "8045550177",
    "planted.lead",
    "8045550188",
    "Plantagenet",
)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that hangs on it, as trackers and debuggers walk it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def assert_nothing_shows(logged: Logged, *others: object) -> None:
    shown = [logged()]
    for other in others:
        shown += [repr(other), str(other)]
        if isinstance(other, BaseException):
            for link in chain(other):
                shown += [repr(link), str(link), repr(link.args), repr(vars(link))]
            shown += traceback.format_exception(other)
    text = "\n".join(shown)
    assert [secret for secret in SECRETS if secret in text] == []


def leads_back(wire: Wire, request: Received) -> bool:
    """A page that is wrong and full of lead data."""
    wire.send(http(200, page_body([LEAD], next="/?page=0&email=planted.filter@example.com")))
    return True


def malformed_header(wire: Wire, request: Received) -> bool:
    """urllib3 logs the URL of such an answer at WARNING."""
    wire.send(b"HTTP/1.1 503 X\r\nno colon in here\r\nContent-Length: 0\r\n\r\n")
    return True


def echo(status: int) -> Act:
    """A server that repeats the request, as debug pages do."""

    def act(wire: Wire, request: Received) -> bool:
        text = f'{{"detail": "{request.target} {request.headers["authorization"]} {LEAD}"}}'
        wire.send(http(status, text.encode()))
        return True

    return act


FAULTS: dict[str, Act] = {
    **{
        f"echo {status}": echo(status)
        for status in (200, 204, 302, 400, 401, 403, 404, 407, 418, 429, 500, 503)
    },
    "redirect": reply(302, b"", Location="https://sso.example.com/?token=pl4nted-t0k3n"),
    "leads back": leads_back,
    "malformed header": malformed_header,
    "truncated JSON": reply(200, page_body([LEAD])[:-3]),
    "JSON of another shape": reply(200, page_body([LEAD]).replace(b'"results"', b'"leads"')),
    "hang up": faults.hang_up,
    "reset": faults.reset,
    "truncated": faults.truncated,
    "reset in body": faults.reset_in_body,
    "truncated chunks": faults.truncated_chunked,
    "no gzip": faults.not_gzip,
    "silent": faults.silent,
    "silent in body": faults.silent_in_body,
    "next without a number": reply(200, page_body([LEAD], next="/?page=planted.lead@example.com")),
}


def hook_at(url: str, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> SelaHook:
    connection = {
        "conn_type": "sela",
        "host": url,
        "password": TOKEN,
        "extra": {"timeout": 0.1, "max_attempts": 2} | extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
    return SelaHook()


def assert_failure_tells_nothing(hook: SelaHook, logged: Logged) -> None:
    for read in (lambda: list(hook.iter_leads(**FILTERS)), lambda: hook.count_leads(**FILTERS)):
        with pytest.raises(SelaError) as caught:
            read()
        assert_nothing_shows(
            logged, caught.value, hook, hook.settings, hook.transport, hook.get_conn(), hook.get_conn().auth
        )
        assert [type(link) for link in chain(caught.value)] == [type(caught.value)]
    works, message = hook.test_connection()
    assert not works
    assert_nothing_shows(logged, message)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_tells_a_secret(
    fault: str, monkeypatch: pytest.MonkeyPatch, logged: Logged, slept: list[float]
) -> None:
    with FaultServer(FAULTS[fault]) as server:
        assert_failure_tells_nothing(hook_at(server.url, monkeypatch), logged)
    assert server.requests[0].headers["authorization"] == f"Token {TOKEN}"


@pytest.mark.parametrize(
    "case",
    [
        "nobody listens",
        "unknown host",
        "odd host",
        "untrusted",
        "no TLS",
        "proxy down",
        "proxy 407",
        "no bundle",
    ],
)
def test_no_failure_on_the_way_tells_a_secret(
    case: str,
    monkeypatch: pytest.MonkeyPatch,
    logged: Logged,
    slept: list[float],
    tmp_path: Path,
) -> None:
    with (
        nobody() as closed,
        FaultServer(reply(), tls=Authority(tmp_path).server()) as tls,
        FaultServer(reply()) as plain,
        Proxy("u:p") as proxy,
    ):
        url, extra = {
            "nobody listens": (f"http://{closed}", {}),
            "unknown host": ("https://nothing.invalid", {}),
            "odd host": ("https://.example.com", {}),
            "untrusted": (tls.url, {}),
            "no TLS": (plain.url.replace("http:", "https:"), {}),
            "proxy down": ("https://127.0.0.1:9", {"proxy": f"http://user:{TOKEN}@{closed}"}),
            "proxy 407": ("https://127.0.0.1:9", {"proxy": proxy.url.replace("//", f"//user:{TOKEN}@")}),
            "no bundle": (tls.url, {"verify": "/no/such/file"}),
        }[case]
        assert_failure_tells_nothing(hook_at(url, monkeypatch, timeout=2, **extra), logged)


def test_a_good_read_tells_no_secret_but_finds_the_lead(
    monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    with FaultServer(reply(200, page_body([LEAD, {"email": "planted.lead@example.com"}]))) as server:
        hook = hook_at(server.url, monkeypatch)
        assert [lead["id"] for lead in hook.iter_leads(**FILTERS)] == [4711]
        page = hook.transport.read(FILTERS, 1, 10)
    assert "planted.filter" in server.requests[0].target
    assert "/api/leads/?…" in logged()
    assert_nothing_shows(logged, hook, page)


def test_what_fails_a_task_at_once_tells_no_secret_either(
    monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    with FaultServer(echo(401)) as server:
        hook = hook_at(server.url, monkeypatch)
        with pytest.raises(AirflowFailException) as caught, failing_fast():
            hook.count_leads(**FILTERS)
    assert_nothing_shows(logged, caught.value)


@pytest.mark.parametrize("name", ["email", "external_id", "phone_number", "user"])
def test_a_refused_filter_is_not_quoted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = hook_at("http://127.0.0.1:9", monkeypatch)
    refused: Any = {name: "planted-crm\ud800"}
    with pytest.raises(SelaError) as caught:
        hook.iter_leads(**refused)
    assert [link for link in chain(caught.value) if "planted" in str(link) or "planted" in repr(link)] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"password": f"Bearer {TOKEN}"},
        {"password": f"{TOKEN}\n{TOKEN}"},
        {"password": TOKEN, "host": f"https://user:{TOKEN}@h:x"},
        {"password": TOKEN, "host": f"https://user:{TOKEN}@h"},
        {"password": TOKEN, "extra": {"proxy": f"http://user:{TOKEN}@\u2100/"}},
        {"password": TOKEN, "extra": f'{{"proxy": "http://user:{TOKEN}@h",'},
    ],
)
def test_a_refused_connection_is_not_quoted(fields: dict[str, Any]) -> None:
    extra = fields.get("extra")
    with pytest.raises(SelaError) as caught:
        Settings.from_connection(
            Fields(**fields | {"extra": json.dumps(extra) if isinstance(extra, dict) else extra})
        )
    for link in chain(caught.value):
        assert TOKEN not in f"{link} {link!r} {link.args} {vars(link)}"
