"""Promises of the modes ``replace``, ``append`` and ``history``, on every engine."""

from __future__ import annotations

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import lead, load_leads, moment


def counts(result: dict[str, object]) -> tuple[object, ...]:
    return result["new"], result["changed"], result["unchanged"], result["deleted"]


def test_replace_leaves_exactly_what_was_read(database: Database) -> None:
    leads = sample_leads(20)
    assert counts(load_leads(leads, mode=Mode.REPLACE)) == (20, 0, 0, 0)
    changed = {**leads[5], "status": "LOST"}
    result = load_leads([changed, *leads[6:], lead(99_999)], mode=Mode.REPLACE)
    assert counts(result) == (1, 1, 14, 5)
    rows = database.table()
    assert [row["id"] for row in rows] == [item["id"] for item in leads[5:]] + [99_999]
    assert rows[0]["status"] == "LOST"


def test_replace_again_touches_nothing(database: Database) -> None:
    load_leads(sample_leads(20), mode=Mode.REPLACE, run_id="first")
    before = database.table()
    assert counts(load_leads(sample_leads(20), mode=Mode.REPLACE, run_id="second")) == (0, 0, 20, 0)
    assert database.table() == before


def test_a_merged_table_can_be_replaced(database: Database) -> None:
    load_leads(sample_leads(20))
    assert counts(load_leads(sample_leads(5), mode=Mode.REPLACE)) == (0, 0, 5, 15)


def test_append_keeps_one_row_for_each_lead_and_run(database: Database) -> None:
    load_leads(sample_leads(10), mode=Mode.APPEND, run_id="monday")
    assert counts(load_leads(sample_leads(12), mode=Mode.APPEND, run_id="tuesday")) == (12, 0, 0, 0)
    runs = database.rows("SELECT _sela_run_id, COUNT(*) FROM leads GROUP BY _sela_run_id ORDER BY 1")
    assert runs == [("monday", 10), ("tuesday", 12)]


def test_append_is_idempotent_for_a_run(database: Database) -> None:
    leads = sample_leads(10)
    load_leads(leads, mode=Mode.APPEND, run_id="monday")
    before = database.table()
    assert counts(load_leads(leads, mode=Mode.APPEND, run_id="monday")) == (0, 0, 10, 0)
    assert database.table() == before


def test_a_rerun_of_append_ends_as_its_last_attempt_read(database: Database) -> None:
    leads = sample_leads(10)
    load_leads(leads, mode=Mode.APPEND, run_id="sunday")
    load_leads(leads, mode=Mode.APPEND, run_id="monday")
    again = [{**leads[0], "status": "LOST"}, *leads[1:9], lead(99_999)]
    assert counts(load_leads(again, mode=Mode.APPEND, run_id="monday")) == (1, 1, 8, 1)
    assert database.rows("SELECT COUNT(*) FROM leads WHERE _sela_run_id = 'sunday'") == [(10,)]


def test_history_keeps_each_version_with_its_time(database: Database) -> None:
    for hour, status in ((1, "NEW"), (2, "OPEN"), (3, "OPEN"), (4, "CLOSED")):
        load_leads([lead(1, status=status), lead(2)], mode=Mode.HISTORY, started=moment(hour))
    rows = database.table(order="id, _sela_valid_from")
    versions = [(row["status"], row["_sela_valid_from"], row["_sela_valid_to"]) for row in rows[:-1]]
    assert versions == [
        ("NEW", moment(1), moment(2)),
        ("OPEN", moment(2), moment(4)),
        ("CLOSED", moment(4), None),
    ]
    assert rows[-1]["id"] == 2
    assert rows[-1]["_sela_valid_to"] is None


def test_history_does_not_close_a_lead_that_was_not_read(database: Database) -> None:
    load_leads(sample_leads(5), mode=Mode.HISTORY)
    assert counts(load_leads(sample_leads(2), mode=Mode.HISTORY)) == (0, 0, 2, 0)
    assert database.rows("SELECT COUNT(*) FROM leads WHERE _sela_valid_to IS NULL") == [(5,)]


def test_a_confirmed_delete_closes_the_version_and_a_return_opens_one(database: Database) -> None:
    load_leads([lead(1)], mode=Mode.HISTORY, started=moment(1))
    load_leads([], mode=Mode.HISTORY, started=moment(2), deleted_ids=[1])
    load_leads([lead(1)], mode=Mode.HISTORY, started=moment(3))
    rows = database.table(order="_sela_valid_from")
    seen = [(row["_sela_valid_from"], row["_sela_valid_to"], row["_sela_deleted_at"]) for row in rows]
    assert seen == [(moment(1), moment(2), moment(2)), (moment(3), None, None)]


def test_a_load_that_began_earlier_does_not_disturb_history(database: Database) -> None:
    load_leads([lead(1, status="A"), lead(2)], mode=Mode.HISTORY, started=moment(1))
    load_leads([lead(1, status="C")], mode=Mode.HISTORY, started=moment(5), deleted_ids=[2])
    before = database.table(order="id, _sela_valid_from")
    load_leads([lead(1, status="B"), lead(2)], mode=Mode.HISTORY, started=moment(3))
    assert database.table(order="id, _sela_valid_from") == before


@pytest.mark.parametrize("other", [Mode.APPEND, Mode.HISTORY])
def test_a_table_of_one_mode_is_refused_to_another(database: Database, other: Mode) -> None:
    load_leads(sample_leads(2))
    before = database.table()
    with pytest.raises(SelaTargetError, match=f"loaded in mode merge.*give mode {other} a table of its own"):
        load_leads(sample_leads(2), mode=other)
    assert database.table() == before
