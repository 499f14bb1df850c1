"""One account's load over another's table, over real HTTP: refused, with nothing marked and nothing asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.testing import SelaApi, sample_leads
from tests.support.databases import DuckDB
from tests.support.loads import load

Use = Callable[[SelaApi], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    return lambda api: monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))


@pytest.fixture
def other() -> Iterator[SelaApi]:
    """Another account at another server."""
    with SelaApi(leads=30, token="another-token") as api:
        yield api


MARKING: dict[str, Any] = {"deletes": "mark", "max_deletes": 1000}


@pytest.mark.parametrize("arguments", [{}, MARKING, {"mode": "replace", "max_deletes": 1000}])
def test_another_account_at_another_server_is_refused_before_the_first_request(
    warehouse: DuckDB, other: SelaApi, use: Use, arguments: dict[str, Any]
) -> None:
    load(**arguments)
    before = warehouse.table()
    use(other)
    with pytest.raises(AirflowFailException, match=r"table leads holds leads of http.*and these are of"):
        load(**arguments)
    assert other.requests == []
    assert warehouse.table() == before


@pytest.mark.parametrize("arguments", [{}, MARKING, {"mode": "replace", "max_deletes": 1000}])
def test_another_account_at_the_same_server_is_refused_and_asked_for_no_lead(
    api: SelaApi, warehouse: DuckDB, use: Use, arguments: dict[str, Any]
) -> None:
    load(**arguments)
    before = warehouse.table()
    api.token = "another-token"
    api.leads.clear()
    for lead in sample_leads(300)[250:]:
        api.add(lead)
    use(api)
    with pytest.raises(AirflowFailException, match="read with another token, none of which was read now"):
        load(**arguments)
    assert warehouse.table() == before
    assert not [request for request in api.requests if "external_id" in request.query]


def test_a_renewed_token_goes_on(api: SelaApi, warehouse: DuckDB, use: Use) -> None:
    load(**MARKING)
    api.token = "renewed-token"
    api.delete(28_010)
    use(api)
    assert load(**MARKING)["deleted"] == 1
    accounts = {row["account"] for row in warehouse.table("_sela_loads", "started")}
    assert len(accounts) == 2
    assert not {api.token, "renewed-token"} & accounts


def test_a_table_without_books_is_nobodys(api: SelaApi, warehouse: DuckDB) -> None:
    warehouse.run("CREATE TABLE leads (id BIGINT PRIMARY KEY)")
    warehouse.run("INSERT INTO leads VALUES (1)")
    load(add_columns=True)
    warehouse.run("DROP TABLE _sela_loads")
    assert load(**MARKING)["deleted"] == 1


def test_books_of_an_earlier_version_get_what_they_lack(api: SelaApi, warehouse: DuckDB) -> None:
    load(**MARKING)
    for column in ("account", "origin", "ahead", "missing_fields", "map_index"):
        warehouse.run(f"ALTER TABLE _sela_loads DROP COLUMN {column}")
    api.delete(28_010)
    assert load(**MARKING)["deleted"] == 1
    assert [row["map_index"] for row in warehouse.table("_sela_loads", "started")] == [None, -1]


def test_a_table_for_several_accounts_takes_both(warehouse: DuckDB, other: SelaApi, use: Use) -> None:
    for lead in list(other.leads):
        other.leads[lead]["id"] += 1_000_000
    load(several_accounts=True)
    use(other)
    assert load(several_accounts="True")["new"] == 30


@pytest.mark.parametrize("arguments", [{"deletes": "mark"}, {"mode": "replace"}, {"confirm_missing": True}])
def test_one_account_of_several_cannot_tell_what_is_gone(arguments: dict[str, Any]) -> None:
    with pytest.raises(SelaRequestError, match="one account cannot tell what is gone from another"):
        load(several_accounts=True, **arguments)


def test_a_template_is_held_to_the_same(warehouse: DuckDB, api: SelaApi) -> None:
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

    operator = SelaLeadsToSqlOperator(
        task_id="load", conn_id="warehouse", table="leads", mode="replace", several_accounts="{{ 1 }}"
    )
    values: Any = {"run_id": "manual__1"}
    operator.render_template_fields(values)
    with pytest.raises(AirflowFailException, match="one account cannot tell what is gone from another"):
        operator.execute(values)
    assert api.requests == []


@pytest.mark.parametrize("kind", ["generic", "", "made_up"])
def test_a_connection_without_a_fitting_type_is_told_in_words(
    warehouse: DuckDB, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": kind, "host": "db.example.com"}))
    with pytest.raises(
        AirflowFailException, match=f"'warehouse' is of type '{kind}'.*the type of its database"
    ):
        load()
