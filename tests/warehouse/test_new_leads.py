"""Loads of what is new: the table as if everything had been read, without a look at all of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.databases import Database
from tests.support.loads import expected, landed, lead, load_leads, moment

MODES = [Mode.MERGE, Mode.HISTORY]


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    return result["new"], result["changed"], result["unchanged"], result["deleted"]


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_leads_that_were_not_read_are_left_alone(database: Database, mode: Mode) -> None:
    leads = [lead(number) for number in range(1, 7)]
    load_leads(leads, mode=mode, started=moment(1))
    before = database.table()
    changed = [lead(2, email="new@example.com", metadata={"a": [1]}), lead(3), lead(9, email=None)]
    told = load_leads(changed, mode=mode, scope="changed", started=moment(2))
    assert counts(told) == (1, 1, 1, 0)
    assert told["deleted"] == 0
    after = database.table()
    current = [row for row in after if row.get("_sela_valid_to") is None]
    assert [landed(row) for row in sorted(current, key=lambda row: row["id"])] == [
        expected(each) for each in (leads[0], changed[0], *leads[2:], changed[2])
    ]
    others = [row for row in after if row["id"] not in (2, 9)]
    assert others == [row for row in before if row["id"] != 2]


@pytest.mark.parametrize("mode", MODES)
def test_a_full_load_finds_nothing_to_do_afterwards(database: Database, mode: Mode) -> None:
    leads = [lead(number) for number in range(1, 7)]
    load_leads(leads, mode=mode, started=moment(1))
    changed = [lead(2, status="LOST"), lead(9)]
    load_leads(changed, mode=mode, scope="changed", started=moment(2))
    before = database.table()
    everything = [leads[0], changed[0], *leads[2:], changed[1]]
    assert counts(load_leads(everything, mode=mode, started=moment(3))) == (0, 0, 7, 0)
    assert database.table() == before


@pytest.mark.parametrize("mode", MODES)
def test_what_is_new_lands_also_where_the_table_went_away(database: Database, mode: Mode) -> None:
    told = load_leads([lead(1), lead(2)], mode=mode, scope="changed")
    assert counts(told) == (2, 0, 0, 0)
    assert [landed(row) for row in database.table()] == [expected(lead(1)), expected(lead(2))]


def test_rows_are_not_fetched_of_leads_that_were_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_leads([lead(number) for number in range(1, 1501)], started=moment(1))
    fetched: list[tuple[Any, ...]] = []
    select = Engine.select

    def noted(self: Engine, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        for row in select(self, sql, parameters):
            fetched.append(row)
            yield row

    monkeypatch.setattr(Engine, "select", noted)
    changed = [lead(number, status="one of its own") for number in range(1, 11)]
    assert counts(load_leads(changed, scope="changed", started=moment(2))) == (0, 10, 0, 0)
    assert len([row for row in fetched if isinstance(row[0], int)]) <= 3 * len(changed)
