"""What a load leaves in the books of each database, and what the next one finds there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_sela.snapshot.anchor import Anchor
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.anchors import (
    NO_LOAD,
    OTHER,
    anchor_text,
    find_anchor,
    held_ids,
    read_anchor,
)
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode, Source
from tests.support.databases import Database
from tests.support.loads import lead, load_leads, moment

LEFT = Anchor(("-modified_time",), 1_750_000_000_123_456, None, 28_004, 5, 1_750_000_000_000_000, 100)
SOURCE = Source("https://api.trysela.com", "0" * 32)


def _find(source: Source = SOURCE, asked: str = "all") -> tuple[Anchor | None, str]:
    with engine_for("warehouse", "leads") as engine:
        return find_anchor(engine, source, asked, check(engine, Mode.MERGE))


def test_the_last_load_leaves_from_where_the_next_may_go_on(database: Database) -> None:
    assert _find() == (None, NO_LOAD)
    load_leads(sample_leads(5), source=SOURCE, anchor=LEFT, asked="all", started=moment(1))
    assert _find() == (LEFT, "")
    assert _find(asked="some") == (None, OTHER)
    assert _find(SOURCE._replace(account="1" * 32)) == (None, OTHER)
    assert _find(SOURCE._replace(account="1" * 32, several_accounts=True)) == (None, NO_LOAD)


def test_a_load_that_was_overtaken_moves_nothing(database: Database) -> None:
    """It began before the one that is in the books, and ends after it."""
    later = replace(LEFT, floor=LEFT.floor + 1, low_id=28_000)
    load_leads(sample_leads(5), source=SOURCE, anchor=later, asked="all", started=moment(2))
    load_leads(sample_leads(5), source=SOURCE, anchor=LEFT, asked="all", started=moment(1))
    assert _find() == (later, "")


def test_a_load_without_a_proof_leaves_nothing(database: Database) -> None:
    load_leads(sample_leads(5), source=SOURCE, anchor=LEFT, asked="all", started=moment(1))
    load_leads(sample_leads(5), source=SOURCE, asked="all", started=moment(2))
    assert _find() == (None, NO_LOAD)


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.HISTORY])
def test_leads_that_a_table_holds_are_told_from_those_it_does_not(database: Database, mode: Mode) -> None:
    leads = [lead(number) for number in range(1, 1203)]
    load_leads(leads, mode=mode, started=moment(1))
    load_leads([lead(1, status="X"), *leads[1:]], mode=mode, deleted_ids=[2], started=moment(2))
    with engine_for("warehouse", "leads") as engine:
        held, alive = held_ids(engine, mode, {1, 2, *range(150, 1210)})
    assert held == {1, *range(150, 1203)}
    assert alive == 1201


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "7", "{}", '{"asked": "all", "orders": [], "more": 1}']
)
def test_what_another_version_has_left_is_nothing(text: str) -> None:
    assert read_anchor(text) == (None, "")
    assert read_anchor(anchor_text(LEFT, "all")) == (LEFT, "all")


def test_a_load_that_left_no_cap_is_gone_on_from() -> None:
    left = json.loads(anchor_text(LEFT, "all"))
    del left["cap"]
    assert read_anchor(json.dumps(left)) == (replace(LEFT, cap=None), "all")


@pytest.mark.parametrize("database", ["duckdb"], indirect=True)
def test_books_that_somebody_has_written_to_leave_nothing(database: Database) -> None:
    load_leads(sample_leads(5), source=SOURCE, anchor=LEFT, asked="all")
    database.run("UPDATE _sela_loads SET anchor = 'edited'")
    assert _find() == (None, NO_LOAD)
