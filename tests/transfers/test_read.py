"""Loads that read only what is new: what they bring, when they do not, and that they say so."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.testing import Request, Response, SelaApi
from airflow_provider_sela.testing.samples import sample_lead, timestamp
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.warehouse.anchors import NO_LOAD, OTHER
from tests.security.belongings import belongings
from tests.support.databases import DuckDB
from tests.support.loads import load


class ByChange(SelaApi):
    """Shows the lead that changed last first."""

    key, reverse = "modified_time", True

    def select(self, filters: dict[str, str]) -> list[Any]:
        return sorted(super().select(filters), key=lambda lead: lead[self.key], reverse=self.reverse)


@pytest.fixture
def api() -> Iterator[ByChange]:
    leads = [sample_lead(28000 + number) for number in range(600)]
    with ByChange(leads, max_page_size=100) as api:
        for number in range(300, 420, 3):
            api.update(28000 + number, status="LOST")
        yield api


def test_what_has_changed_is_brought_in_a_handful_of_requests(warehouse: DuckDB, api: ByChange) -> None:
    first = load("monday", read="changed")
    assert told(first) == ("full", NO_LOAD)
    api.update(28007, status="CLOSED")
    added = api.add()
    before = len(api.requests)
    second = load("tuesday", read="changed")
    assert second["why_full"] is None
    assert second["verdict"] == "PROVEN(-modified_time)"
    assert (second["scope"], second["new"], second["changed"]) == ("changed", 1, 1)
    assert second["since"] is not None
    assert second["requests"] == len(api.requests) - before <= 6
    rows = dict(warehouse.rows("SELECT id, status FROM leads"))
    assert len(rows) == 601
    assert rows[28007] == "CLOSED"
    assert added["id"] in rows
    books = warehouse.rows("SELECT scope, since, anchor FROM _sela_loads ORDER BY started")
    assert [book[0] for book in books] == ["full", "changed"]
    assert json.loads(books[1][2])["known"] == 601


@pytest.fixture(params=[True, False], ids=["newest first", "newest last"])
def settled(request: pytest.FixtureRequest, warehouse: DuckDB) -> Iterator[ByChange]:
    """A list of 3,000 leads in which nothing has changed for two hours, and a load of it."""
    with ByChange([sample_lead(28000 + number) for number in range(3000)], max_page_size=100) as api:
        api.reverse = request.param
        everything = random.Random(1).sample(range(3000), 3000)  # noqa: S311
        _change(api, everything, _ago(hours=200), _ago(hours=2))
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
            assert told(load("monday", read="changed")) == ("full", NO_LOAD)
            api.requests.clear()
            yield api


def _ago(**length: float) -> datetime:
    return datetime.now(UTC) - timedelta(**length)


def _change(api: SelaApi, numbers: Sequence[int], begin: datetime, end: datetime) -> None:
    for rank, number in enumerate(numbers):
        moment = begin + (end - begin) * rank / len(numbers)
        api.update(28000 + number, status="LOST", modified_time=timestamp(moment))


def test_a_list_that_is_quiet_for_longer_than_lookback_costs_at_most_six_requests(settled: ByChange) -> None:
    for day in ("tuesday", "wednesday"):
        result = load(day, read="changed")
        assert told(result) == ("changed", None)
        assert (result["new"], result["changed"]) == (0, 0)
        assert result["requests"] == len(settled.requests) <= 6
        settled.requests.clear()


def test_samples_and_the_second_window_are_asked_for_while_the_first_page_is_waited_for(
    settled: ByChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the newest end is depends on the list's length if it is the last page.
    first = {"1", "2"} if settled.reverse else {"1"}
    arrived, numbers, respond = threading.Barrier(2 + len(first)), count(), settled.respond

    def together(request: Request) -> Response:
        if next(numbers) < arrived.parties:
            arrived.wait(30)
        return respond(request)

    monkeypatch.setattr(settled, "respond", together)
    assert told(load("tuesday", read="changed")) == ("changed", None)
    assert {request.query["page"] for request in settled.requests[: arrived.parties]} > first


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pages", [1, 3, 10])
def test_each_page_of_changes_costs_about_one_request(
    settled: ByChange, pages: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {**settled.connection, "extra": {"concurrency": connections}}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(account))
    _change(settled, range(1000, 1000 + 100 * pages), _ago(minutes=100), _ago(minutes=5))
    result = load("tuesday", read="changed")
    assert (told(result), result["changed"]) == (("changed", None), 100 * pages)
    # While the answer that ends the way down is awaited, each other connection may have been asked for more.
    assert result["requests"] == len(settled.requests) <= pages + 6 + connections


def told(result: dict[str, Any]) -> tuple[str, str | None]:
    return result["scope"], result["why_full"]


@pytest.mark.parametrize("mode", ["merge", "history"])
def test_loads_go_on_from_each_other_and_a_full_one_comes_in_time(
    warehouse: DuckDB, api: ByChange, mode: str
) -> None:
    scopes = [load(f"run {number}", read="changed", mode=mode)["scope"] for number in range(4)]
    assert scopes == ["full", "changed", "changed", "changed"]
    due = load("due", read="changed", mode=mode, full_every=timedelta())
    assert told(due) == ("full", "the last read of everything is as old as full_every")
    assert told(load("next", read="changed", mode=mode, full_every=None)) == ("changed", None)


def test_history_closes_a_version_only_by_a_newer_one(warehouse: DuckDB, api: ByChange) -> None:
    load("monday", mode="history")
    api.update(28007, status="CLOSED")
    assert told(load("tuesday", mode="history", read="changed")) == ("changed", None)
    assert warehouse.rows("SELECT COUNT(*) FROM leads WHERE _sela_valid_to IS NOT NULL") == [(1,)]
    assert warehouse.rows("SELECT COUNT(*) FROM leads") == [(601,)]


def test_a_full_load_before_it_is_enough(warehouse: DuckDB, api: ByChange) -> None:
    assert told(load("monday")) == ("full", None)
    assert told(load("tuesday", read="new")) == ("new", None)
    assert told(load("wednesday", read="changed")) == ("changed", None)


@pytest.mark.parametrize("key", ["id", "created_time"])
def test_an_order_that_shows_no_changes_is_told_before_a_request_and_shows_new_leads(
    warehouse: DuckDB, api: ByChange, key: str
) -> None:
    api.key, api.reverse = key, False
    load("monday")
    reason = load("tuesday", read="changed")["why_full"]
    assert reason == "the list is sorted by id or created_time, which does not show what has changed"
    added = api.add()
    result = load("wednesday", read="new")
    assert told(result) == ("new", None)
    assert (result["new"], result["changed"]) == (1, 0)
    assert warehouse.rows(f"SELECT COUNT(*) FROM leads WHERE id = {added['id']}") == [(1,)]


def test_an_order_that_has_changed_since_is_found_out(warehouse: DuckDB, api: ByChange) -> None:
    load("monday")
    api.key = "id"
    assert told(load("tuesday", read="changed")) == (
        "full", "the list is sorted otherwise than the last full read found",
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"exclude_fields": ["email"]}, {"user": 1}, {"sela_conn_id": "renewed"}],
    ids=["privacy", "filter", "account"],
)
def test_a_load_of_something_else_is_nothing_to_go_on_from(
    warehouse: DuckDB, api: ByChange, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("monday")
    renewed = {**api.connection, "password": "another-token"}
    monkeypatch.setenv("AIRFLOW_CONN_RENEWED", json.dumps(renewed))
    if "sela_conn_id" in changes:
        api.token = "another-token"
    assert load("tuesday", read="changed", **changes)["why_full"] == OTHER
    api.token = api.connection["password"]


def test_several_accounts_go_on_each_from_its_own_loads(
    warehouse: DuckDB, api: ByChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ByChange([sample_lead(90_000 + number) for number in range(300)], max_page_size=100) as other:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other.connection))
        for number in range(50, 100):
            other.update(90_000 + number)
        for conn_id in ("sela_default", "other"):
            result = load(conn_id, read="new", sela_conn_id=conn_id, several_accounts=True)
            assert told(result) == ("full", NO_LOAD)
        for conn_id in ("sela_default", "other"):
            result = load(f"{conn_id} 2", read="changed", sela_conn_id=conn_id, several_accounts=True)
            assert told(result) == ("changed", None)


def test_rows_that_the_table_has_lost_bring_a_full_read(warehouse: DuckDB, api: ByChange) -> None:
    load("monday")
    warehouse.run("DELETE FROM leads")
    result = load("tuesday", read="changed")
    assert result["scope"] == "full"
    assert "no load before has brought" in result["why_full"]
    assert result["new"] == 600
    [(book,)] = warehouse.rows("SELECT why_full FROM _sela_loads WHERE run_id = 'tuesday'")
    assert book == result["why_full"]


class Watching(ByChange):
    """Looks with each request whether this process has a file open."""

    path = ""
    open_files: list[str]

    def select(self, filters: dict[str, str]) -> list[Any]:
        self.open_files += [each for each in belongings().descriptors if each.startswith(self.path)]
        return super().select(filters)


@pytest.mark.parametrize("lost", ["", "DELETE FROM leads"], ids=["what is new", "everything after all"])
def test_the_database_is_not_open_while_leads_are_read(warehouse: DuckDB, lost: str) -> None:
    leads = [sample_lead(28000 + number) for number in range(600)]
    with Watching(leads, max_page_size=100) as api, pytest.MonkeyPatch.context() as environment:
        api.path, api.open_files = str(warehouse.path), []
        for number in range(300, 420, 3):
            api.update(28000 + number, status="LOST")
        environment.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        load("monday")
        if lost:
            warehouse.run(lost)
        assert load("tuesday", read="changed")["scope"] == ("full" if lost else "changed")
        assert len(api.requests) > 12
        assert api.open_files == []
    assert str(warehouse.path) not in belongings().descriptors


def test_books_of_an_earlier_version_get_the_columns_and_begin_with_a_full_read(
    warehouse: DuckDB, api: ByChange
) -> None:
    load("monday")
    for column in ("scope", "since", "why_full", "anchor"):
        warehouse.run(f"ALTER TABLE _sela_loads DROP COLUMN {column}")
    assert told(load("tuesday", read="changed")) == ("full", NO_LOAD)
    assert told(load("wednesday", read="changed")) == ("changed", None)


def test_a_load_that_fails_moves_nothing(warehouse: DuckDB, api: ByChange) -> None:
    load("monday")
    api.update(28007, status="CLOSED", surprise=1)
    with pytest.raises(Exception, match="surprise"):
        load("tuesday", read="changed", on_schema_change="fail")
    assert warehouse.rows("SELECT run_id FROM _sela_loads") == [("monday",)]
    assert load("wednesday", read="changed")["changed"] == 1


def test_deletes_are_marked_by_full_reads_only(warehouse: DuckDB, api: ByChange) -> None:
    load("monday")
    api.delete(28001)
    partial = load("tuesday", read="changed", deletes="mark")
    assert (told(partial), partial["deleted"]) == (("changed", None), 0)
    full = load("wednesday", read="changed", deletes="mark", full_every="PT0S")
    assert full["deleted"] == 1


def test_a_server_that_tells_no_time_leaves_nothing_to_go_on_from(
    warehouse: DuckDB, api: ByChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.key, api.reverse = "id", False
    respond = type(api).respond

    def undated(self: ByChange, request: Any) -> Any:
        response = respond(self, request)
        response.headers["Date"] = "some day"
        return response

    monkeypatch.setattr(ByChange, "respond", undated)
    assert load("monday")["verdict"] == "PROVEN(id)"
    assert told(load("tuesday", read="new")) == ("full", NO_LOAD)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"read": "some"}, "read is 'some': allowed are full, changed and new"),
        ({"read": "new", "mode": "replace"}, "goes with the modes merge and history, not with replace"),
        ({"read": "changed", "mode": "append"}, "goes with the modes merge and history, not with append"),
        ({"read": "new", "deletes": "mark", "full_every": None}, "deletes='mark' needs reads of everything"),
        ({"read": "new", "confirm_missing": True, "full_every": None}, "confirm_missing needs reads"),
        ({"read": "new", "parts": []}, "parts are of everything"),
        ({"lookback": "some time"}, "lookback is no length of time"),
        ({"lookback": 600}, "lookback is no length of time"),
        ({"full_every": timedelta(-1)}, "full_every is negative"),
    ],
)
def test_what_makes_no_sense_is_refused_while_the_dag_is_parsed(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SelaRequestError, match=re.escape(words)):
        SelaLeadsToSqlOperator(task_id="load", conn_id="warehouse", table="leads", **changes)


def test_what_a_template_left_is_read_like_the_value_itself(warehouse: DuckDB, api: ByChange) -> None:
    load("monday")
    result = load("tuesday", read="changed", lookback="0:05:00", full_every="1 day, 0:00:00")
    assert told(result) == ("changed", None)
