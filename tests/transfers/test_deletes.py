"""What is gone at Sela is marked, but only on proof, within limits, and after asking again."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.exceptions import SelaIncompleteError, SelaRequestError
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.testing.wire import Request
from tests.support.databases import DuckDB
from tests.support.loads import load


def marked(warehouse: DuckDB) -> list[int]:
    return [
        row[0]
        for row in warehouse.rows("SELECT id FROM leads WHERE _sela_deleted_at IS NOT NULL ORDER BY id")
    ]


def questions(api: SelaApi) -> list[Request]:
    return [
        request for request in api.requests if {"external_id", "email", "phone_number"} & request.query.keys()
    ]


def test_deletes_are_ignored_unless_asked_for(api: SelaApi, warehouse: DuckDB) -> None:
    load()
    api.delete(28_010)
    assert load()["deleted"] == 0
    assert marked(warehouse) == []


def test_a_deleted_lead_is_marked_once_and_unmarked_when_it_returns(api: SelaApi, warehouse: DuckDB) -> None:
    load(deletes="mark")
    gone = dict(api.leads[28_010])
    api.delete(28_010)
    assert load(deletes="mark")["deleted"] == 1
    assert load(deletes="mark")["deleted"] == 0
    assert marked(warehouse) == [28_010]
    api.add(gone)
    back = load(deletes="mark")
    assert (back["deleted"], back["changed"]) == (0, 1)
    assert marked(warehouse) == []


def test_more_deletes_than_allowed_fail_and_write_nothing(api: SelaApi, warehouse: DuckDB) -> None:
    load(deletes="mark")
    before = warehouse.table()
    for lead_id in range(28_000, 28_030):
        api.delete(lead_id)
    with pytest.raises(
        AirflowFailException, match=r"30 of 250 leads .* max_deletes allows 25: nothing was written"
    ):
        load(deletes="mark")
    assert warehouse.table() == before
    assert load(deletes="mark", max_deletes="30")["deleted"] == 30


def test_an_empty_account_does_not_mark_the_whole_table(api: SelaApi, warehouse: DuckDB) -> None:
    load(deletes="mark")
    for lead_id in list(api.leads):
        api.delete(lead_id)
    with pytest.raises(AirflowFailException, match="250 of 250 leads"):
        load(deletes="mark")
    assert marked(warehouse) == []


def test_each_candidate_is_asked_for_by_what_is_known_of_it(api: SelaApi, warehouse: DuckDB) -> None:
    load(deletes="mark")
    api.delete(28_010)
    external_id = "id_in_your_crm_28010"
    load(deletes="mark")
    assert [request.query["external_id"] for request in questions(api)] == [external_id]


@pytest.mark.parametrize("arguments", [{"deletes": "mark"}, {"mode": "replace"}, {"mode": "append"}])
@pytest.mark.parametrize(
    ("leads", "verdict"), [(100, "ATOMIC"), (250, "CONVERGED(2)")], ids=["in one page", "in several"]
)
def test_leads_that_come_without_an_id_are_not_taken_for_gone(
    warehouse: DuckDB,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    arguments: dict[str, Any],
    leads: int,
    verdict: str,
) -> None:
    with SelaApi(leads=leads) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        load(**arguments)
        before = warehouse.table()
        for lead_id in (28_010, 28_011, 28_012):
            api.leads[lead_id]["id"] = None
        api.delete(28_020)
        result = load(**arguments)
    assert result["verdict"] == verdict
    assert (result["read"], result["rejected"], result["deleted"]) == (leads - 4, 3, 0)
    assert warehouse.table() == before
    logged = caplog.text + "".join(capfd.readouterr())
    assert re.search(r"no (row is removed|deletes are marked).*3 results have no usable id", logged)


@pytest.mark.parametrize("arguments", [{"deletes": "mark"}, {"mode": "replace"}, {"mode": "append"}])
def test_ids_of_another_kind_empty_no_table(
    warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    with SelaApi(leads=50) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        load(**arguments)
        before = warehouse.table()
        for lead in api.leads.values():
            lead["id"] = str(UUID(int=lead["id"]))
        result = load(**arguments)
    assert (result["read"], result["rejected"], result["deleted"]) == (0, 50, 0)
    assert warehouse.table() == before


def test_a_replace_that_would_empty_the_table_fails_and_writes_nothing(
    api: SelaApi, warehouse: DuckDB
) -> None:
    load(mode="replace")
    before = warehouse.table()
    for lead_id in list(api.leads):
        api.delete(lead_id)
    with pytest.raises(AirflowFailException, match=r"250 of 250 leads .* max_deletes allows 25"):
        load(mode="replace")
    assert warehouse.table() == before
    assert load(mode="replace", max_deletes=250)["deleted"] == 250


def test_hidden_fields_are_not_used_to_ask(api: SelaApi, warehouse: DuckDB) -> None:
    hidden = ["external_id", "email", "phone_number"]
    load(deletes="mark", exclude_fields=hidden)
    api.delete(28_010)
    assert load(deletes="mark", exclude_fields=hidden)["deleted"] == 1
    assert questions(api) == []


class Forgetful(SelaApi):
    """Leaves a lead out of the whole list, but knows it when asked for it."""

    hidden: int | None = None

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        leads = super().select(filters)
        return leads if filters else [lead for lead in leads if lead["id"] != self.hidden]


class Deaf(SelaApi):
    """Ignores filters, as a server does that does not know them."""

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        return super().select({})


@pytest.fixture
def forgetful(warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forgetful]:
    """Fifty leads that have landed, of which the list then shows one less."""
    with Forgetful(leads=50) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        load(deletes="mark")
        api.hidden = 28_010
        yield api


@pytest.mark.parametrize("arguments", [{"deletes": "mark"}, {"confirm_missing": True}])
def test_a_lead_that_was_not_shown_and_answers_refutes_the_verdict(
    forgetful: Forgetful, warehouse: DuckDB, arguments: dict[str, Any]
) -> None:
    before = warehouse.table()
    with pytest.raises(
        SelaIncompleteError, match=r"the verdict ATOMIC is refuted: leads 28010 were not shown"
    ):
        load(**arguments)
    assert warehouse.table() == before
    assert len(questions(forgetful)) == 1


@pytest.mark.parametrize("arguments", [{"deletes": "mark"}, {"confirm_missing": "True"}])
@pytest.mark.parametrize("excluded", [(), ("email",)])
def test_a_lead_that_was_not_shown_and_answers_lands_where_a_warning_is_enough(
    forgetful: Forgetful,
    warehouse: DuckDB,
    arguments: dict[str, Any],
    excluded: Sequence[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    forgetful.leads[28_010].update(status="of late")
    result = load(on_unverified="warn", exclude_fields=excluded, **arguments)
    assert (result["verdict"], result["read"], result["deleted"]) == ("UNVERIFIED", 50, 0)
    row = next(row for row in warehouse.table() if row["id"] == 28_010)
    assert (row["status"], row["email"] is None) == ("of late", bool(excluded))
    assert marked(warehouse) == []
    assert "is refuted: leads 28010 were not shown" in caplog.text + "".join(capfd.readouterr())


def test_a_lead_that_was_not_shown_is_found_behind_another_of_the_same_external_id(
    forgetful: Forgetful, warehouse: DuckDB
) -> None:
    leads = forgetful.leads
    leads[28_001]["external_id"] = leads[28_010]["external_id"]
    with pytest.raises(SelaIncompleteError, match="leads 28010 were not shown"):
        load(confirm_missing=True)


def test_a_lead_that_was_written_since_refutes_nothing(forgetful: Forgetful, warehouse: DuckDB) -> None:
    """It may have been deleted and have come back."""
    forgetful.update(28_010, status="LOST")
    result = load(deletes="mark")
    assert (result["verdict"], result["deleted"]) == ("ATOMIC", 0)
    assert marked(warehouse) == []


def test_many_leads_that_refute_a_verdict_are_named_by_a_few(
    forgetful: Forgetful, warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = set(range(28_000, 28_040))
    monkeypatch.setattr(
        Forgetful,
        "select",
        lambda api, filters: [
            lead for lead in SelaApi.select(api, filters) if filters or lead["id"] not in hidden
        ],
    )
    with pytest.raises(SelaIncompleteError, match="leads 28000, 28001, 28002, 28003, 28004 and others"):
        load(confirm_missing=True)
    assert len(questions(forgetful)) == 40


@pytest.mark.parametrize("arguments", [{}, {"on_unverified": "warn"}])
def test_a_verdict_that_is_refuted_is_counted(
    forgetful: Forgetful, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    from airflow.providers.common.compat.sdk import Stats

    counted: list[str] = []
    monkeypatch.setattr(Stats, "incr", lambda name, *_, **__: counted.append(name), raising=False)
    with suppress(SelaIncompleteError):
        load(deletes="mark", **arguments)
    assert [name for name in counted if "verdict" in name] == ["sela.verdict.atomic", "sela.verdict.refuted"]


def test_a_lead_that_is_gone_is_confirmed_and_left_alone(api: SelaApi, warehouse: DuckDB) -> None:
    load()
    api.delete(28_010)
    assert load(confirm_missing=True)["deleted"] == 0
    assert marked(warehouse) == []
    assert len(questions(api)) == 1


@pytest.mark.parametrize("arguments", [{"mode": "replace"}, {"external_id": "7"}])
def test_missing_leads_are_confirmed_only_where_all_leads_are_read(arguments: dict[str, Any]) -> None:
    with pytest.raises(SelaRequestError, match="confirm_missing"):
        load(confirm_missing=True, **arguments)


def test_a_server_that_ignores_filters_is_not_walked_for_each_candidate(
    warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Deaf(leads=400, page_size=20, max_page_size=100) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        load(deletes="mark")
        for lead_id in (28_300, 28_301):
            api.delete(lead_id)
        assert load(deletes="mark")["deleted"] == 2
        assert len(questions(api)) == 2


class Shuffled(SelaApi):
    """Gives the list in another order each time, so that nothing can be proved."""

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        leads = list(super().select(filters))
        random.Random(len(self.requests)).shuffle(leads)  # noqa: S311 (repeatable)
        return leads


def test_without_proof_nothing_is_marked(warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch) -> None:
    with Shuffled(leads=300, page_size=20, max_page_size=100) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        load(on_unverified="warn")
        api.delete(28_010)
        result = load(deletes="mark", on_unverified="warn")
        assert result["verdict"].startswith(("CONVERGED", "UNVERIFIED"))
        assert (result["deleted"], marked(warehouse)) == (0, [])
