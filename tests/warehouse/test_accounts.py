"""A table knows whose leads it holds: those of another account are refused, a new token is not."""

from __future__ import annotations

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode, Source
from tests.support.databases import Database
from tests.support.loads import load_leads

OURS, THEIRS = sample_leads(20)[:10], sample_leads(20)[10:]
ONE = Source("https://api.trysela.com", "1" * 32)
ELSEWHERE = Source("https://eu.trysela.com", "2" * 32)
NEW_TOKEN = ONE._replace(account="3" * 32)


def looked_at(source: Source, mode: Mode = Mode.MERGE) -> None:
    with engine_for("warehouse", "leads") as engine:
        check(engine, mode, source=source)


def test_the_books_say_whose_leads_came(database: Database) -> None:
    load_leads(OURS, source=ONE)
    (books,) = database.table("_sela_loads", "started")
    assert (books["origin"], books["account"], books["accounts"]) == (*ONE[:2], "one")


def test_leads_of_another_server_are_refused_before_they_are_read(database: Database) -> None:
    load_leads(OURS, source=ONE)
    before = database.table()
    refusal = r"table leads holds leads of https://api.trysela.com, and these are of https://eu.trysela.com"
    with pytest.raises(SelaTargetError, match=refusal) as told:
        looked_at(ELSEWHERE)
    assert not told.value.retryable
    with pytest.raises(SelaTargetError, match=refusal):
        load_leads(THEIRS, source=ELSEWHERE)
    assert database.table() == before


@pytest.mark.parametrize("mode", list(Mode))
def test_leads_of_another_token_are_refused_where_none_is_known(database: Database, mode: Mode) -> None:
    load_leads(OURS, mode=mode, source=ONE)
    before = database.table()
    looked_at(NEW_TOKEN, mode)
    with pytest.raises(SelaTargetError, match="read with another token, none of which was read now"):
        load_leads(THEIRS, mode=mode, source=NEW_TOKEN)
    assert database.table() == before
    assert len(database.table("_sela_loads", "started")) == 1


def test_a_new_token_of_the_same_account_is_known_by_its_leads(database: Database) -> None:
    load_leads(OURS, source=ONE)
    assert load_leads([OURS[3], *THEIRS], source=NEW_TOKEN)["new"] == 10
    assert load_leads(sample_leads(30)[20:], source=NEW_TOKEN)["new"] == 10


def test_a_read_without_a_lead_tells_nothing_of_its_account(database: Database) -> None:
    load_leads(OURS, source=ONE)
    assert load_leads([], source=NEW_TOKEN)["read"] == 0
    with pytest.raises(SelaTargetError, match="read with another token"):
        load_leads(THEIRS, source=NEW_TOKEN)


def test_a_table_that_is_meant_for_several_takes_them(database: Database) -> None:
    several = [source._replace(several_accounts=True) for source in (ONE, ELSEWHERE, NEW_TOKEN)]
    for source, leads in zip(several, (OURS, THEIRS, sample_leads(25)[20:]), strict=True):
        assert load_leads(leads, source=source)["new"] == len(leads)
    with pytest.raises(SelaTargetError, match=r"one for several accounts.*set several_accounts=True here"):
        looked_at(ONE)


def test_a_table_without_leads_is_nobodys(database: Database) -> None:
    load_leads(OURS, source=ONE)
    database.run("DELETE FROM leads")
    assert load_leads(THEIRS, source=ELSEWHERE)["new"] == 10


def test_books_that_do_not_know_whose_leads_came_refuse_nobody(database: Database) -> None:
    load_leads(OURS)
    database.run("ALTER TABLE _sela_loads DROP COLUMN account")
    assert load_leads(THEIRS, source=ELSEWHERE)["new"] == 10
    with pytest.raises(SelaTargetError, match=r"holds leads of https://eu.trysela.com, and these are of"):
        load_leads(OURS, source=ONE)
