from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.storage.lines_ahead import LinesAhead
from airflow_provider_sela.storage.spool import Encoder, Spool, Tell
from airflow_provider_sela.warehouse.duckdb_dialect import DuckDBDialect
from airflow_provider_sela.warehouse.sqlite import SQLiteDialect
from tests.support import nasty, odd_values
from tests.support.spooling import T1, T2, add, lead

LEADS = [*nasty.LEADS, *odd_values.LEADS]


class Noted:
    """An encoder that remembers of which leads it made lines."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, lead: RawLead, tell: Tell) -> bytes:
        self.made.append(lead.id)
        return lead.json


def ahead_of(encoder: Encoder, *, leads: list[Any], **options: Any) -> tuple[Spool, LinesAhead]:
    ahead = LinesAhead(encoder, **options)
    spool = Spool(ahead, watch=ahead.watch)
    for item in leads:
        add(spool, item)
    return spool, ahead


@pytest.mark.parametrize("encoder", [DuckDBDialect().encoder, SQLiteDialect().encoder])
def test_lines_are_the_same_and_tell_the_same_whenever_they_are_made(encoder: Callable[[], Encoder]) -> None:
    with Spool(encoder()) as spool:
        for item in LEADS:
            add(spool, item)
        lines, told = list(spool.lines()), (spool.nulled_columns(), spool.fields.unknown)
    made_ahead, ahead = ahead_of(encoder(), leads=LEADS)
    with made_ahead as spool:
        ahead.make()
        assert (spool.nulled, spool.fields.unknown) == (0, [])
        # The second time they are made anew.
        for _ in range(2):
            assert list(spool.lines()) == lines
            assert (spool.nulled_columns(), spool.fields.unknown) == told


def test_a_line_is_made_once_although_a_lead_comes_twice() -> None:
    encoder = Noted()
    spool, ahead = ahead_of(encoder, leads=[lead(1), lead(2)])
    with spool:
        ahead.make()
        add(spool, lead(1))
        ahead.make()
        assert encoder.made == [1, 2]
        assert len(list(spool.lines())) == 2
    assert encoder.made == [1, 2]


def test_a_version_that_comes_after_a_line_was_made_has_a_line_of_its_own() -> None:
    spool, ahead = ahead_of(Noted(), leads=[lead(1, T1, status="OPEN")])
    with spool:
        ahead.make()
        add(spool, lead(1, T2, status="LOST"))
        assert [item["status"] for item in spool] == ["LOST"]


def test_no_more_is_made_ahead_than_memory_is_to_hold() -> None:
    encoder = Noted()
    leads = [lead(number, text="x" * 1000) for number in range(10)]
    spool, ahead = ahead_of(encoder, leads=leads, most_bytes=3000)
    with spool:
        ahead.make()
        assert encoder.made == [0, 1, 2]
        assert len(list(spool.lines())) == 10
    assert encoder.made == list(range(10))


def test_what_cannot_become_a_line_fails_where_the_line_is_asked_for() -> None:
    def encode(lead: RawLead, tell: Tell) -> bytes:
        raise ValueError(lead.id)

    spool, ahead = ahead_of(encode, leads=[lead(1)])
    with spool:
        ahead.make()
        with pytest.raises(ValueError, match="1"):
            list(spool.lines())


def test_a_time_out_that_comes_while_lines_are_made_is_not_held_back() -> None:
    """Whoever bounds a task by an alarm raises an error of any kind in its own thread, wherever that is."""

    def encode(lead: RawLead, tell: Tell) -> bytes:
        raise TimeoutError

    spool, ahead = ahead_of(encode, leads=[lead(1)])
    with spool, pytest.raises(TimeoutError):
        ahead.make()


def test_who_watches_leads_sees_each_that_comes() -> None:
    seen: list[int] = []
    spool, _ = ahead_of(Noted(), leads=[lead(1), lead(2)], watch=lambda lead: seen.append(lead.id))
    spool.close()
    assert seen == [1, 2]
