"""Promises of mode ``merge``, on every engine."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.tables import Mode, TaskRun
from tests.support.databases import Database
from tests.support.loads import expected, landed, lead, load_leads, moment


def test_every_lead_lands_with_every_field_typed(database: Database) -> None:
    leads = sample_leads(250)
    result = load_leads(leads, run_id="first", started=moment(1))
    assert result == {
        "verdict": "ATOMIC", "read": 250, "new": 250, "changed": 0, "unchanged": 0, "deleted": 0, "ahead": 0,
        "nulled": 5, "rejected": 0, "requests": 3, "retries": 1, "repaired": 0, "passes": 1,
    }  # fmt: skip
    rows = database.table()
    assert [landed(row) for row in rows] == [expected(item) for item in leads]
    assert {(row["_sela_run_id"], row["_sela_synced_at"], row["_sela_deleted_at"]) for row in rows} == {
        ("first", moment(1), None)
    }


def test_the_columns_have_the_types_of_the_database(database: Database) -> None:
    load_leads(sample_leads(1))
    (row,) = database.rows("SELECT id, email, sms_dnc, modified_time, metadata FROM leads")
    assert isinstance(row[0], int)
    assert isinstance(row[1], str)
    assert row[2] in (True, False)
    if database.name in ("duckdb", "postgres"):
        assert isinstance(row[3], datetime)
        assert row[3].tzinfo is not None
    elif database.name == "mariadb":
        assert isinstance(row[3], datetime)


def test_a_second_load_of_the_same_leads_touches_no_row(database: Database) -> None:
    load_leads(sample_leads(100), run_id="first")
    before = database.table()
    result = load_leads(sample_leads(100), run_id="second")
    assert (result["new"], result["changed"], result["unchanged"]) == (0, 0, 100)
    assert database.table() == before


def test_only_changed_leads_are_touched(database: Database) -> None:
    leads = sample_leads(50)
    load_leads(leads, run_id="first")
    changed = [{**leads[7], "status": "LOST"}, *leads[8:], lead(99_999)]
    result = load_leads([*leads[:7], *changed], run_id="second")
    assert (result["new"], result["changed"], result["unchanged"]) == (1, 1, 49)
    by_run = {row["id"] for row in database.table() if row["_sela_run_id"] == "second"}
    assert by_run == {leads[7]["id"], 99_999}
    assert next(row["status"] for row in database.table() if row["id"] == leads[7]["id"]) == "LOST"


def test_a_change_that_leaves_modified_time_alone_is_seen(database: Database) -> None:
    load_leads([lead(1, status="OPEN")])
    assert load_leads([lead(1, status="CLOSED")])["changed"] == 1


def test_a_lead_that_was_not_read_stays(database: Database) -> None:
    load_leads(sample_leads(10))
    load_leads(sample_leads(3))
    assert len(database.table()) == 10


def test_the_newest_of_two_versions_in_one_read_lands_once(database: Database) -> None:
    newer = lead(1, status="NEWER", modified_time="2026-01-02T00:00:00+00:00")
    older = lead(1, status="OLDER", modified_time="2026-01-01T00:00:00+00:00")
    assert load_leads([newer, older])["new"] == 1
    assert [row["status"] for row in database.table()] == ["NEWER"]


def test_an_empty_read_is_a_load_too(database: Database) -> None:
    assert load_leads([])["read"] == 0
    assert database.table() == []
    assert len(database.table("_sela_loads", "run_id")) == 1


def test_the_books_are_kept_beside_the_rows(database: Database) -> None:
    load_leads(sample_leads(5), run_id="scheduled__1", started=moment(2))
    (books,) = database.table("_sela_loads", "run_id")
    assert books.pop("finished") > moment(2)
    assert books.pop("target").lower() == "leads"
    assert books.pop("watermark") == max(expected(item)["modified_time"] for item in sample_leads(5))
    assert len(books.pop("attempt_id")) == 32
    assert books.pop("load_id") == TaskRun("scheduled__1").load_id
    assert books == {
        "run_id": "scheduled__1", "dag_id": None, "task_id": None, "map_index": -1,
        "origin": None, "account": None, "accounts": None,
        "mode": "merge", "verdict": "ATOMIC", "reason": None,
        "scope": "full", "since": None, "why_full": None, "anchor": None,
        "missing_fields": None, "unknown_fields": None,
        "started": moment(2), "read": 5, "new": 5, "changed": 0, "unchanged": 0, "deleted": 0, "ahead": 0,
        "nulled": 0, "rejected": 0, "requests": 3, "retries": 1, "repaired": 0, "passes": 1,
    }  # fmt: skip


def test_rejects_are_kept_once_with_their_raw_form(database: Database) -> None:
    rejects = [{"email": "no.id@example.com", "note": "NUL \x00"}, ["not", "a lead"], None]
    assert load_leads([lead(1)], rejects=rejects)["rejected"] == 3
    assert load_leads([lead(1)], rejects=[*rejects, 7], run_id="second")["rejected"] == 4
    assert sorted(database.rows("SELECT raw, run_id FROM _sela_rejects")) == [
        ("7", "second"),
        ('["not","a lead"]', "run"),
        ("null", "run"),
        (r'{"email":"no.id@example.com","note":"NUL \\u0000"}', "run"),
    ]


def test_a_load_that_began_earlier_does_not_undo_a_later_one(database: Database) -> None:
    load_leads([lead(1, status="LATER"), lead(2)], started=moment(5))
    result = load_leads([lead(1, status="EARLIER"), lead(3)], started=moment(4))
    assert (result["new"], result["changed"], result["unchanged"]) == (1, 0, 1)
    assert [row["status"] for row in database.table() if row["id"] == 1] == ["LATER"]


def test_what_is_newer_by_its_own_time_wins_whatever_load_brings_it(database: Database) -> None:
    load_leads([lead(1, status="OLD", modified_time="2026-01-01T00:00:00+00:00")], started=moment(5))
    newer = lead(1, status="NEW", modified_time="2026-01-01T00:00:00.000001+00:00")
    assert load_leads([newer], started=moment(4))["changed"] == 1


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.HISTORY])
def test_a_lead_that_is_gone_is_marked_and_unmarked_when_it_returns(database: Database, mode: Mode) -> None:
    load_leads(sample_leads(3), mode=mode, started=moment(1))
    first, second, _ = sample_leads(3)
    assert (
        load_leads(sample_leads(1), mode=mode, started=moment(2), deleted_ids=[second["id"]])["deleted"] == 1
    )
    marked = [row for row in database.table() if row["_sela_deleted_at"]]
    assert [(row["id"], row["_sela_deleted_at"]) for row in marked] == [(second["id"], moment(2))]
    again = load_leads([first], mode=mode, started=moment(3), deleted_ids=[second["id"]])
    assert again["deleted"] == 0
    back = load_leads([first, second], mode=mode, started=moment(4))
    assert back["new"] + back["changed"] == 1
    alive = "_sela_valid_to IS NULL" if mode is Mode.HISTORY else "_sela_deleted_at IS NULL"
    assert database.rows(f"SELECT COUNT(*) FROM leads WHERE {alive}") == [(3,)]


def test_a_load_that_began_before_a_lead_was_marked_does_not_unmark_it(database: Database) -> None:
    load_leads(sample_leads(1), started=moment(1))
    load_leads([], started=moment(5), deleted_ids=[sample_leads(1)[0]["id"]])
    load_leads(sample_leads(1), started=moment(4))
    assert database.table()[0]["_sela_deleted_at"] == moment(5)


def test_far_future_and_microseconds_survive(database: Database) -> None:
    times = {"modified_time": "9999-12-31T23:59:59.999999+00:00", "created_time": "1970-01-01T00:00:00Z"}
    load_leads([lead(1, **times)])
    assert database.table()[0]["modified_time"] == datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
