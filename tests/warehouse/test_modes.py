"""Promises of the modes ``replace``, ``append`` and ``history``, on every engine."""

from __future__ import annotations

import pytest

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.tables import Mode, TaskRun
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


REMOVING = [Mode.REPLACE, Mode.APPEND]


@pytest.mark.parametrize("mode", REMOVING)
def test_what_could_not_be_read_is_not_taken_for_gone(database: Database, mode: Mode) -> None:
    leads = sample_leads(20)
    load_leads(leads, mode=mode)
    nameless = [{**item, "id": None} for item in leads[:3]]
    result = load_leads([*leads[3:], lead(99_999)], mode=mode, rejects=nameless)
    assert (counts(result), result["rejected"]) == ((1, 0, 17, 0), 3)
    assert counts(load_leads([], mode=mode, rejects=leads)) == (0, 0, 0, 0)
    assert [row["id"] for row in database.table()] == [*(item["id"] for item in leads), 99_999]


@pytest.mark.parametrize("mode", REMOVING)
@pytest.mark.parametrize("verdict", ["CONVERGED(2)", "UNVERIFIED"])
def test_what_was_not_seen_in_a_read_without_proof_is_not_taken_for_gone(
    database: Database, mode: Mode, verdict: str
) -> None:
    load_leads(sample_leads(20), mode=mode)
    assert counts(load_leads(sample_leads(15), mode=mode, verdict=verdict)) == (0, 0, 15, 0)
    assert len(database.table()) == 20
    assert counts(load_leads(sample_leads(15), mode=mode, verdict="PROVEN(id)")) == (0, 0, 15, 5)


@pytest.mark.parametrize("mode", REMOVING)
@pytest.mark.parametrize("most", [4, 0.2])
def test_more_removals_than_allowed_fail_and_write_nothing(
    database: Database, mode: Mode, most: float
) -> None:
    leads = sample_leads(20)
    load_leads(leads, mode=mode)
    load_leads(leads, mode=mode, run_id="another", max_deletes=0)
    before = database.table(order="id, _sela_run_id")
    after = [{**leads[0], "status": "LOST"}, *leads[1:15], lead(99_999)]
    with pytest.raises(SelaTargetError, match=r"5 of 20 leads .* max_deletes allows 4: nothing was written"):
        load_leads(after, mode=mode, max_deletes=most)
    assert database.table(order="id, _sela_run_id") == before
    assert counts(load_leads(after, mode=mode, max_deletes=5)) == (1, 1, 14, 5)


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


ONE = TaskRun("scheduled__2026-11-01T06:00:00+00:00", "nightly", "load")
OTHERS = [
    pytest.param(ONE._replace(dag_id="hourly"), id="another DAG on the same schedule"),
    pytest.param(ONE._replace(task_id="load_more"), id="another task"),
    pytest.param(ONE._replace(map_index=1), id="another mapped task"),
]


@pytest.mark.parametrize("other", OTHERS)
def test_append_leaves_the_rows_of_other_loads_of_the_same_run_id(database: Database, other: TaskRun) -> None:
    first, second = sample_leads(20)[:10], sample_leads(20)[5:]
    load_leads(first, mode=Mode.APPEND, task_run=ONE)
    before = database.table(order="id")
    assert counts(load_leads(second, mode=Mode.APPEND, task_run=other)) == (15, 0, 0, 0)
    assert counts(load_leads(second, mode=Mode.APPEND, task_run=other)) == (0, 0, 15, 0)
    rows = database.table(order="id, _sela_synced_at")
    assert [row for row in rows if row["_sela_load_id"] == ONE.load_id] == before
    assert len(rows) == 25
    assert {row["_sela_run_id"] for row in rows} == {ONE.run_id}


def test_a_row_leads_to_the_load_that_wrote_it(database: Database) -> None:
    load_leads([lead(1)], task_run=ONE)
    load_leads([lead(1), lead(2)], task_run=ONE._replace(map_index=3), rejects=["no lead"])
    found = database.rows(
        "SELECT id, dag_id, task_id, b.run_id, map_index FROM leads JOIN _sela_loads b"
        " ON load_id = _sela_load_id ORDER BY id"
    )
    assert found == [(number, "nightly", "load", ONE.run_id, place) for number, place in ((1, -1), (2, 3))]


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


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.HISTORY])
def test_rows_that_are_newer_than_now_are_told(database: Database, mode: Mode) -> None:
    years_ahead = moment(5 * 365 * 24)
    load_leads([lead(1), lead(2), lead(3)], mode=mode, started=years_ahead)
    result = load_leads(
        [lead(1, status="LOST"), lead(2), lead(4)], mode=mode, started=moment(1), deleted_ids=[3]
    )
    assert (counts(result), result["ahead"]) == ((1, 0, 2, 0), 3)
    database.run("UPDATE leads SET _sela_synced_at = modified_time")
    if mode is Mode.HISTORY:
        database.run("UPDATE leads SET _sela_valid_from = modified_time")
    result = load_leads([lead(1, status="LOST"), lead(2)], mode=mode, started=moment(2), deleted_ids=[3])
    assert (counts(result), result["ahead"]) == ((0, 1, 1, 1), 0)


def test_a_load_that_began_later_and_ended_sooner_is_not_newer_than_now(database: Database) -> None:
    load_leads([lead(1)], started=moment(5))
    assert load_leads([lead(1, status="EARLIER")], started=moment(4))["ahead"] == 0
