"""SelaHook over a real HTTP server and a real Airflow connection."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaPageGoneError,
    SelaRequestError,
    SelaResponseError,
    SelaSetupError,
)
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.testing import SelaApi, drf
from tests.support.faults import FaultServer, Received, Wire, http, page_body, pages, reply
from tests.support.memory import traced

HookTo = Callable[..., SelaHook]


def ids(leads: Any) -> list[int]:
    return [lead["id"] for lead in leads]


def test_a_walk_gives_each_lead_of_a_real_list_once_and_as_it_was_sent(hook: SelaHook, api: SelaApi) -> None:
    assert list(hook.iter_leads()) == list(api.leads.values())
    assert len(api.requests) == 3
    assert api.connections == 1


@pytest.mark.parametrize("name", ["email", "external_id", "phone_number", "user"])
def test_each_filter_of_the_api_is_passed_on(name: str, hook: SelaHook, api: SelaApi) -> None:
    value: Any = {"user": 2}.get(name, next(iter(api.leads.values()))[name] if name != "user" else None)
    expected = [
        key
        for key, lead in api.leads.items()
        if (api.user_of(lead) if name == "user" else lead[name]) == value
    ]
    assert ids(hook.iter_leads(**{name: value})) == expected
    assert hook.count_leads(**{name: value}) == len(expected)


def test_a_page_size_above_the_servers_cap_still_reads_everything(hook: SelaHook, api: SelaApi) -> None:
    assert len(list(hook.iter_leads(page_size=10_000))) == 250
    assert len(api.requests) == 3


def test_the_connections_page_size_is_the_default(hook_to: HookTo) -> None:
    leads = [{"id": number} for number in range(30)]
    with FaultServer(pages(leads, 10)) as server:
        list(hook_to(server, page_size=10).iter_leads())
        list(hook_to(server).iter_leads(page_size=7))
    assert [request.target.partition("page_size=")[2] for request in server.requests] == ["10"] * 3 + [
        "7"
    ] * 3


@pytest.mark.parametrize("page_size", [0, -1])
def test_a_page_size_below_one_is_refused_and_not_taken_for_unset(
    page_size: int, hook: SelaHook, api: SelaApi
) -> None:
    with pytest.raises(SelaRequestError, match="page_size"):
        list(hook.iter_leads(page_size=page_size))
    assert api.requests == []


def test_an_empty_filter_is_refused_before_anything_is_sent(hook: SelaHook, api: SelaApi) -> None:
    for read in (hook.iter_leads, hook.count_leads, hook.snapshot):
        with pytest.raises(SelaRequestError, match="email is empty"):
            read(email="")
    with pytest.raises(SelaRequestError, match="external_id is empty"):
        hook.find_leads("")
    assert api.requests == []


def test_leads_come_as_their_page_comes_and_no_page_is_read_ahead(hook: SelaHook, api: SelaApi) -> None:
    stream = hook.iter_leads(page_size=100)
    next(stream)
    assert len(api.requests) == 1


def test_a_list_that_shrinks_in_the_middle_ends_the_walk(hook: SelaHook, api: SelaApi) -> None:
    stream = hook.iter_leads(page_size=100)
    first = [next(stream) for _ in range(100)]
    for key in list(api.leads)[100:]:
        api.delete(key)
    assert ids(first) + ids(stream) == list(api.leads)
    assert [request.status for request in api.requests] == [200, 404, 200]


def test_one_404_in_the_middle_of_a_list_loses_nothing(hook: SelaHook, api: SelaApi) -> None:
    stream = hook.iter_leads(page_size=100)
    first = [next(stream) for _ in range(100)]
    api.answer_next(404)
    assert ids(first) + ids(stream) == list(api.leads)


def test_a_404_that_stays_in_the_middle_of_a_list_is_no_end(hook: SelaHook, api: SelaApi) -> None:
    respond = api.respond
    api.respond = lambda request: (  # type: ignore[method-assign]
        drf.typical(404) if request.query["page"] != "1" else respond(request)
    )
    with pytest.raises(SelaPageGoneError, match="run it again"):
        ids(hook.iter_leads(page_size=100))


def test_a_walk_that_ends_before_the_servers_count_says_so(
    hook: SelaHook, api: SelaApi, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    api.answer_next(200, body={"count": 250, "next": None, "previous": None, "results": [{"id": 1}]})
    assert ids(hook.iter_leads()) == [1]
    assert "counts 249 leads more than it showed" in caplog.text + "".join(capfd.readouterr())
    ids(hook.iter_leads())
    assert "more than it showed" not in "".join(capfd.readouterr())


def test_a_lead_that_is_pushed_onto_the_next_page_is_given_once(hook: SelaHook, api: SelaApi) -> None:
    stream = hook.iter_leads(page_size=100)
    seen = ids([next(stream) for _ in range(100)])
    with api.lock:
        newest = api.add()
        api.leads = {newest["id"]: newest, **api.leads}
    seen += ids(stream)
    assert len(seen) == len(set(seen)) == 250


def test_a_nested_page_is_read_as_a_page(hook_to: HookTo) -> None:
    inner = json.loads(page_body([{"id": 28013}], count=1, next="http://api.example.org/accounts/?page=4"))
    with FaultServer(reply(200, page_body([inner], count=1))) as server:
        assert ids(hook_to(server).iter_leads()) == [28013]


def test_results_without_an_id_are_left_out_and_told(hook_to: HookTo, logged: Callable[[], str]) -> None:
    with FaultServer(reply(200, page_body([{"id": 1}, {"email": "x"}, None]))) as server:  # type: ignore[list-item]
        assert ids(hook_to(server).iter_leads()) == [1]
    assert "Sela: 2 results had no usable id and were left out" in logged()


def test_a_server_that_gives_the_same_page_for_ever_is_left(hook_to: HookTo) -> None:
    def same(wire: Wire, request: Received) -> bool:
        wire.send(http(200, page_body([{"id": 1}, {"id": 2}], count=4, next=f"/?page={request.page + 1}")))
        return True

    with FaultServer(same) as server, pytest.raises(SelaResponseError, match="would never end"):
        list(hook_to(server).iter_leads())
    assert len(server.requests) == 2


def test_a_server_that_ignores_page_is_left(hook_to: HookTo, slept: list[float]) -> None:
    with FaultServer(reply(200, page_body([{"id": 1}], count=9, next="/?page=2"))) as server:
        with pytest.raises(SelaResponseError, match="next of page 2 leads back to page 2"):
            list(hook_to(server, max_attempts=2).iter_leads())
        assert len(server.requests) == 3


def test_the_retry_budget_is_one_for_a_whole_walk(hook_to: HookTo, slept: list[float]) -> None:
    good = pages([{"id": number} for number in range(50)], 10)
    limited = reply(429, Retry_After="4")
    with FaultServer(limited, good, limited, good, limited, good) as server:
        hook = hook_to(server, retry_budget=10)
        with pytest.raises(Exception, match="HTTP 429"):
            list(hook.iter_leads())
    assert slept == [4, 4]


def memory_of_a_walk(hook_to: HookTo, leads: int) -> int:
    """Peak of what a walk holds."""
    page_size = 100

    def act(wire: Wire, request: Received) -> bool:
        start = (request.page - 1) * page_size
        rows = [{"id": 10**6 + start + row, "metadata": {"text": "x" * 500}} for row in range(page_size)]
        following = f"/?page={request.page + 1}" if start + page_size < leads else None
        server.requests.clear()
        wire.send(http(200, page_body(rows, count=leads, next=following)))
        return True

    with FaultServer(act) as server:
        hook_to(server)
        return traced(_walk, leads).peak


def _walk(leads: int) -> None:
    with closing(SelaHook()) as hook:
        assert sum(1 for _ in hook.iter_leads()) == leads


def test_memory_does_not_grow_with_the_length_of_the_list(hook_to: HookTo) -> None:
    """Keeping the 18,000 leads more would take 10 MB and more."""
    short, long = memory_of_a_walk(hook_to, 2_000), memory_of_a_walk(hook_to, 20_000)
    assert long < short + 1_000_000


def test_leads_are_found_by_external_id_all_of_them_oldest_first(hook: SelaHook, api: SelaApi) -> None:
    first, *_, last = api.leads
    api.update(last, external_id="crm-7")
    api.update(first, external_id="crm-7")
    assert ids(hook.find_leads("crm-7")) == [first, last]
    assert hook.find_leads("nobody") == []


class Lenient(SelaApi):
    """Filters by substring."""

    def select(self, filters: dict[str, str]) -> list[Any]:
        wanted = filters.get("external_id", "")
        return [lead for lead in self.leads.values() if wanted in str(lead["external_id"])]


class Ignoring(SelaApi):
    """Does not know the filter, as DRF does with a parameter that no filter is declared for."""

    def select(self, filters: dict[str, str]) -> list[Any]:
        return list(self.leads.values())


@pytest.mark.parametrize("kind", [Lenient, Ignoring])
def test_a_lead_is_found_even_if_the_server_matches_substrings_or_ignores_the_filter(
    kind: type[SelaApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = [{"id": number, "external_id": text} for number, text in enumerate(("7", "77", "17", None, "7"))]
    with kind(leads, max_page_size=2) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        assert ids(SelaHook().find_leads("7")) == [0, 4]


def test_leads_are_counted_by_the_server_in_one_small_request(hook: SelaHook, api: SelaApi) -> None:
    assert hook.count_leads() == 250
    assert [request.query for request in api.requests] == [{"page": "1", "page_size": "1"}]


def test_a_good_connection_tests_well_and_says_what_the_token_sees(hook: SelaHook) -> None:
    works, message = hook.test_connection()
    assert works
    assert message.startswith("Sela answered in ")
    assert message.endswith(" ms; this token sees 250 leads")


def test_a_test_of_the_connection_does_not_retry_and_does_not_raise(hook_to: HookTo) -> None:
    with FaultServer(reply(503)) as server:
        works, message = hook_to(server).test_connection()
    assert (works, len(server.requests)) == (False, 1)
    # Without the connection's name, which is a random one where the form tests a connection.
    assert message == "HTTP 503: the server cannot answer for now; run it again later"


def test_a_test_of_a_wrong_connection_says_which_field(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "sela", "password": "x", "extra": {"page_size": 0}}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
    works, message = SelaHook().test_connection()
    assert not works
    assert "'page_size' (Page size): allowed is 1 to 10000" in message


def test_a_wrong_token_is_told_with_the_frameworks_own_words(
    api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection | {"password": "wrong"}))
    with pytest.raises(SelaAuthenticationError, match=r"HTTP 401 \(Invalid token\)"):
        list(SelaHook().iter_leads())


def test_the_token_may_be_pasted_with_its_prefix(api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection | {"password": f"Token {api.token}"})
    )
    assert SelaHook().count_leads() == 250


def test_a_hook_reads_the_connection_that_it_is_told_to(
    api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELA_OTHER", json.dumps(api.connection))
    assert SelaHook(sela_conn_id="sela_other").count_leads() == 250
    assert SelaHook("sela_other").settings.conn_id == "sela_other"


def test_the_session_is_one_for_all_calls_of_a_thread(hook: SelaHook, api: SelaApi) -> None:
    response = hook.get_conn().get(f"{api.url}/api/leads/28000/")
    assert response.json()["id"] == 28000
    assert hook.get_conn() is hook.get_conn()


def test_a_closed_hook_can_be_used_again(hook: SelaHook) -> None:
    hook.close()
    assert hook.count_leads() == 250
    hook.close()
    assert hook.count_leads() == 250


def test_closing_a_hook_that_was_never_used_reads_no_connection() -> None:
    SelaHook(sela_conn_id="there_is_no_such_connection").close()


def test_a_long_walk_tells_how_far_it_is(
    hook: SelaHook, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, jumped = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + jumped[0])
    for _ in hook.iter_leads(page_size=100):
        jumped[0] += 0.06
    assert re.search(r"Sela: 2 pages, 200 of 250 leads, 1\d leads/s, about [3-5] s left", logged())


def test_a_wrong_host_is_a_matter_of_set_up(api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = api.connection | {"host": f"{api.url}/elsewhere"}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
    with pytest.raises(SelaSetupError, match="there is no /api/leads/ at this Host"):
        SelaHook().count_leads()


@pytest.mark.parametrize("conn_id", ["", None, b"sela", ["sela"]])
async def test_what_is_no_connection_s_name_is_refused_and_not_waited_for(conn_id: Any) -> None:
    with pytest.raises(SelaRequestError, match="sela_conn_id is "):
        _ = SelaHook(conn_id).settings
    with pytest.raises(SelaRequestError, match="sela_conn_id is "):
        await SelaHook(conn_id).asettings()


@pytest.mark.parametrize("privacy", [{"exclude_fields": ["email"]}, ["email"], {}])
def test_what_is_no_privacy_is_refused_before_anything_is_sent(
    hook: SelaHook, api: SelaApi, privacy: Any
) -> None:
    with pytest.raises(SelaRequestError, match="privacy is no Privacy "):
        hook.snapshot(privacy=privacy)
    assert api.requests == []


def test_a_database_s_password_is_not_sent_where_its_connection_stands_in_the_place_of_sela_s(
    api: SelaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = {"conn_type": "postgres", "host": api.url, "password": "planted-password"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database))
    with pytest.raises(SelaSetupError, match="is of type 'postgres'") as refused:
        SelaHook("warehouse").count_leads()
    assert "planted" not in str(refused.value)
    assert api.connections == 0
