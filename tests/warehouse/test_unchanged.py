"""No row is made of a lead that the table has in the very same bytes, and nobody can tell but by the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.privacy import Privacy
from airflow_provider_sela.storage.spool import Encoder, Tell
from airflow_provider_sela.warehouse.dialect import CsvDialect, Dialect
from airflow_provider_sela.warehouse.tables import DIGEST, Mode
from tests.support.databases import Database, Postgres
from tests.support.loads import SALT, expected, landed, lead, load_leads, moment
from tests.support.odd_values import LEADS

Made = list[int]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Ids of the leads of which rows are made."""
    ids: Made = []

    def noted(encoder: Callable[[Any], Encoder]) -> Callable[[Any], Encoder]:
        def make(self: Any) -> Encoder:
            encode = encoder(self)
            if type(self).encoder is not make:
                # It is asked for what another one leaves to it, which was noted there.
                return encode

            def encode_noted(item: RawLead, tell: Tell) -> bytes:
                ids.append(item.id)
                return encode(item, tell)

            return encode_noted

        return make

    monkeypatch.setattr(Dialect, "encoder", noted(Dialect.encoder))
    monkeypatch.setattr(CsvDialect, "encoder", noted(CsvDialect.encoder))
    return ids


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    return result["new"], result["changed"], result["unchanged"], result["deleted"]


@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_is_made_or_written_where_nothing_has_changed(
    database: Database, made: Made, mode: Mode
) -> None:
    leads = [lead(number) for number in range(1, 8)]
    load_leads(leads, mode=mode)
    before = database.table()
    assert made == list(range(1, 8))
    made.clear()
    assert counts(load_leads(leads, mode=mode)) == (0, 0, 7, 0)
    assert made == []
    assert database.table() == before


@pytest.mark.parametrize(
    "change",
    [
        {"status": "open"},
        {"status": "ÖPEN"},
        {"status": "OPEN "},
        {"metadata": {"state": "ca"}},
        {"metadata": {"State": "CA"}},
        {"metadata": {"state": "CA "}},
    ],
)
def test_a_change_that_some_databases_compare_as_none_is_seen(
    database: Database, made: Made, change: dict[str, Any]
) -> None:
    first = {"status": "OPEN", "metadata": {"state": "CA"}}
    load_leads([lead(1, **first), lead(2, **first)])
    made.clear()
    assert counts(load_leads([lead(1, **first), lead(2, **first) | change])) == (0, 1, 1, 0)
    assert made == [2]
    assert landed(database.table()[1]) == expected({**lead(2, **first), **change})


@pytest.mark.parametrize("mode", list(Mode))
def test_the_same_content_in_other_bytes_touches_no_row(database: Database, made: Made, mode: Mode) -> None:
    first = lead(1, modified_time="2026-02-28T15:09:03.139554-08:00")
    load_leads([first], mode=mode)
    before = database.table()
    made.clear()
    other = dict(reversed(first.items())) | {"modified_time": "2026-03-01T00:09:03.139554+01:00"}
    for _ in range(2):
        assert counts(load_leads([other], mode=mode)) == (0, 0, 1, 0)
    assert made == [1, 1]
    assert database.table() == before


def test_malformed_values_and_new_fields_are_told_of_leads_that_are_left_out(
    database: Database, made: Made
) -> None:
    leads = [
        lead(1, next_call_time="x", score=1),
        lead(2, next_call_time="y", lead_type="z"),
        lead(3, **{"no plain name": 1}),
        lead(4),
        lead(5, **{f"field_{number}_of_a_long_name": 1 for number in range(20)}),
    ]
    told = load_leads(leads)
    made.clear()
    again = load_leads(leads)
    assert again["nulled"] == told["nulled"] == 3
    first, second = database.table("_sela_loads", "started")
    assert second["unknown_fields"] == first["unknown_fields"]
    assert made == [3, 5], "what no digest can tell of a lead is looked for"


def test_a_row_whose_hash_was_taken_away_is_written_anew(database: Database, made: Made) -> None:
    load_leads([lead(1), lead(2), lead(3)])
    database.run("UPDATE leads SET status = 'odd', _sela_hash = NULL WHERE id = 2")
    database.run(f"UPDATE leads SET status = 'odd', _sela_hash = '{'0' * 32}' WHERE id = 3")
    made.clear()
    assert counts(load_leads([lead(1), lead(2), lead(3)])) == (0, 2, 1, 0)
    assert made == [2, 3]
    assert [landed(row) for row in database.table()] == [expected(lead(number)) for number in (1, 2, 3)]


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.HISTORY])
def test_a_lead_that_was_marked_as_deleted_comes_back(database: Database, made: Made, mode: Mode) -> None:
    load_leads([lead(1), lead(2)], mode=mode)
    load_leads([lead(1)], deleted_ids=[2], mode=mode)
    made.clear()
    result = load_leads([lead(1), lead(2)], mode=mode)
    assert counts(result) == ((1, 0, 1, 0) if mode is Mode.HISTORY else (0, 1, 1, 0))
    assert made == [2]
    assert database.table()[-1]["_sela_deleted_at"] is None


def test_a_version_that_holds_no_more_is_not_taken_for_the_one_that_does(
    database: Database, made: Made
) -> None:
    for status in ("OPEN", "CLOSED", "OPEN"):
        result = load_leads([lead(1, status=status)], mode=Mode.HISTORY)
        made.clear()
    assert counts(result) == (0, 1, 0, 0)
    rows = database.table(order="_sela_valid_from")
    assert [row["status"] for row in rows] == ["OPEN", "CLOSED", "OPEN"]
    assert counts(load_leads([lead(1, status="OPEN")], mode=Mode.HISTORY)) == (0, 0, 1, 0)
    assert made == []


def test_what_is_gone_is_removed_and_what_is_left_out_is_not(database: Database, made: Made) -> None:
    load_leads([lead(1), lead(2), lead(3)], mode=Mode.REPLACE)
    made.clear()
    assert counts(load_leads([lead(1), lead(3), lead(4)], mode=Mode.REPLACE)) == (1, 0, 2, 1)
    assert made == [4]
    assert [row["id"] for row in database.table()] == [1, 3, 4]


def test_a_rerun_that_appends_leaves_other_loads_alone(database: Database, made: Made) -> None:
    load_leads([lead(1), lead(2)], mode=Mode.APPEND, run_id="monday")
    assert counts(load_leads([lead(1), lead(2)], mode=Mode.APPEND, run_id="tuesday")) == (2, 0, 0, 0)
    assert made == [1, 2, 1, 2]
    made.clear()
    rerun = load_leads([lead(1), lead(2, status="LOST")], mode=Mode.APPEND, run_id="tuesday")
    assert counts(rerun) == (0, 1, 1, 0)
    assert made == [2]
    rows = database.table(order="_sela_run_id, id")
    assert [(row["_sela_run_id"], row["status"]) for row in rows][1:] == [
        ("monday", lead(2)["status"]), ("tuesday", lead(1)["status"]), ("tuesday", "LOST"),
    ]  # fmt: skip


def test_other_privacy_options_write_every_row_anew(database: Database, made: Made) -> None:
    leads = [lead(1), lead(2)]
    hidden = Privacy(hash_fields=["phone_number"], salt=SALT)
    other = Privacy(hash_fields=["phone_number"], salt=SALT[::-1])
    for privacy in (Privacy(), hidden, other, Privacy(exclude_fields=["phone_number"]), Privacy()):
        made.clear()
        load_leads(map(privacy, leads))
        assert made == [1, 2]
        assert [landed(row) for row in database.table()] == [expected(privacy(item)) for item in leads]


def test_rows_that_are_stamped_later_than_now_are_counted_as_before(database: Database, made: Made) -> None:
    load_leads([lead(1), lead(2)], started=moment(5 * 365 * 24))
    made.clear()
    result = load_leads([lead(1), lead(2)], started=moment(1))
    assert (counts(result), result["ahead"]) == ((0, 0, 2, 0), 2)
    assert made == [1, 2]


def test_an_earlier_load_that_ends_later_changes_nothing(database: Database, made: Made) -> None:
    load_leads([lead(1, status="LATER"), lead(2)], started=moment(2))
    assert counts(load_leads([lead(1, status="EARLIER"), lead(2)], started=moment(1))) == (0, 0, 2, 0)
    assert [row["status"] for row in database.table()] == ["LATER", lead(2)["status"]]


#: What a load reads, and another one after it.
OLDER = [lead(number) for number in range(1, 6)]
NEWER = [lead(3, status="NEWER"), lead(4), lead(6)]
#: The mode of the other one.
OTHERS = {Mode.MERGE: Mode.MERGE, Mode.HISTORY: Mode.HISTORY, Mode.REPLACE: Mode.MERGE}


def interfere(database: Database) -> None:
    """Do to rows what somebody else might do."""
    database.run("DELETE FROM leads WHERE id = 1")
    database.run("UPDATE leads SET _sela_hash = NULL WHERE id = 2")


def check_what_is_left(database: Database, result: dict[str, Any], *, newer_wins: bool) -> None:
    """Check what a load of the older leads leaves after that.

    :param newer_wins: whether the newer ones were loaded besides, and are kept.
    """
    table = {row["id"]: row for row in database.table(order="id, _sela_synced_at")}
    wanted = {item["id"]: item for item in [*OLDER, *(NEWER if newer_wins else ())]}
    assert {key: landed(row) for key, row in table.items()} == {
        key: expected(item) for key, item in wanted.items()
    }
    assert table[2]["_sela_hash"] is not None
    assert result["new"] + result["changed"] + result["unchanged"] == 5


@pytest.mark.parametrize("mode", list(OTHERS))
def test_what_happens_to_a_row_while_other_rows_are_made_is_seen(database: Database, mode: Mode) -> None:
    if database.name in ("duckdb", "sqlite"):
        pytest.skip("nobody else writes to the file meanwhile")
    if database.name == "hsqldb":
        pytest.skip("the look at the table before has locked it")
    if database.name == "postgres":
        pytest.skip("the table is looked at behind the lock, before the rows are made")
    load_leads(OLDER, mode=mode, started=moment(1))

    def meanwhile() -> None:
        interfere(database)
        if database.queued:
            load_leads(NEWER, mode=OTHERS[mode], started=moment(3))

    result = load_leads(OLDER, mode=mode, started=moment(2), judge=meanwhile)
    check_what_is_left(database, result, newer_wins=database.queued and mode is not Mode.REPLACE)


@pytest.mark.server
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("mode", list(OTHERS))
def test_what_happens_to_a_row_while_a_load_waits_for_another_is_seen(database: Postgres, mode: Mode) -> None:
    load_leads(OLDER, mode=mode, started=moment(1))
    holds_the_lock, may_end = Event(), Event()

    def hold() -> None:
        holds_the_lock.set()
        assert may_end.wait(30)

    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(load_leads, NEWER, mode=OTHERS[mode], started=moment(3), judge=hold)
        assert holds_the_lock.wait(30)
        mine = threads.submit(load_leads, OLDER, mode=mode, started=moment(2))
        deadline = time.monotonic() + 30
        while not database.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert time.monotonic() < deadline
        interfere(database)
        may_end.set()
        other.result(30)
        result = mine.result(30)
    check_what_is_left(database, result, newer_wins=mode is not Mode.REPLACE)


def test_a_table_that_gets_no_column_works_without_digests(database: Database, made: Made) -> None:
    load_leads([lead(1), lead(2)])
    database.run(f"ALTER TABLE leads DROP COLUMN {DIGEST}")
    assert counts(load_leads([lead(1), lead(2), lead(3)], add=False)) == (1, 0, 2, 0)
    made.clear()
    assert counts(load_leads([lead(1, status="LOST"), lead(2), lead(3)], add=False)) == (0, 1, 2, 0)
    assert made == [1, 2, 3]
    assert DIGEST not in database.table()[0]
    assert database.table()[0]["status"] == "LOST"


@pytest.mark.parametrize("lacking", [f"ALTER TABLE leads DROP COLUMN {DIGEST}", None])
def test_rows_of_an_earlier_version_get_their_digest_once(
    database: Database, made: Made, lacking: str | None
) -> None:
    load_leads([lead(1), lead(2)])
    digests = [row[DIGEST] for row in database.table()]
    before = database.table()
    database.run(lacking or f"UPDATE leads SET {DIGEST} = '0'")
    made.clear()
    assert counts(load_leads([lead(1), lead(2)])) == (0, 0, 2, 0)
    assert made == [1, 2]
    assert [row[DIGEST] for row in database.table()] == digests
    assert [row | {DIGEST: None} for row in database.table()] == [row | {DIGEST: None} for row in before]
    made.clear()
    load_leads([lead(1), lead(2)])
    assert made == []


def test_every_row_of_a_lead_must_be_as_it_was_read(database: Database, made: Made) -> None:
    """A table that a user made need not have a key, and may hold a version twice."""
    database.run(f"CREATE TABLE leads (id {database.bigint})")
    load_leads([lead(1)], mode=Mode.HISTORY)
    columns = ", ".join(database.table()[0])
    database.run(f"INSERT INTO leads ({columns}) SELECT {columns} FROM leads")
    database.run(f"ALTER TABLE leads ADD COLUMN note {database.bigint}")
    made.clear()
    load_leads([lead(1)], mode=Mode.HISTORY)
    assert made == []
    database.run(f"INSERT INTO leads ({columns}, note) SELECT {columns}, 2 FROM leads")
    database.run("UPDATE leads SET status = 'odd', _sela_hash = NULL WHERE note = 2")
    load_leads([lead(1)], mode=Mode.HISTORY)
    assert made == [1]
    assert {row["status"] for row in database.table() if not row["_sela_valid_to"]} == {lead(1)["status"]}


def test_each_version_of_a_lead_that_an_earlier_load_meets_must_be_as_it_was_read(
    database: Database, made: Made
) -> None:
    versions = ((3, "OPEN"), (4, "CLOSED"), (5, "OPEN"))
    for hours, status in versions:
        load_leads([lead(1, status=status)], mode=Mode.HISTORY, started=moment(hours))
    before = database.table(order="_sela_valid_from")
    made.clear()
    result = load_leads([lead(1, status="OPEN")], mode=Mode.HISTORY, started=moment(2))
    assert counts(result) == (0, 0, 1, 0)
    assert made == [1]
    assert database.table(order="_sela_valid_from") == before


def test_whatever_stands_in_a_field_is_left_out_or_made_into_the_same_row(
    database: Database, made: Made
) -> None:
    first = load_leads(LEADS)
    before = database.table()
    made.clear()
    again = load_leads(LEADS)
    assert again | {"new": 0} == first | {"new": 0, "unchanged": len(LEADS)}
    assert database.table() == before
    assert len(made) < len(LEADS) / 10
