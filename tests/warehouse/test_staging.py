"""Rows are made of leads while the database takes those before them, and nothing is touched before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sela.api.raw import RawLead, raw_page
from airflow_provider_sela.exceptions import SelaRequestError, SelaResponseError
from airflow_provider_sela.storage.spool import Spool, Tell
from airflow_provider_sela.warehouse.landing import land
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Load, TaskRun
from tests.support.databases import Database
from tests.support.loads import expected, landed, lead, load_leads, moment, stats
from tests.support.odd_values import LEADS
from tests.support.spooling import add


@pytest.mark.parametrize("leads", [1, 3000])
def test_a_lead_that_cannot_become_a_row_undoes_the_load_and_is_told_as_what_it_is(
    database: Database, leads: int
) -> None:
    """Drivers have errors of their own for what is raised while they ask for rows."""
    load_leads([lead(1)])
    engine = engine_for("warehouse", "leads")
    encode = engine.dialect.encoder()

    def broken(item: RawLead, tell: Tell) -> bytes:
        if item.id == 10**6 + leads - 1:
            raise SelaResponseError("a lead is nested too deeply to be read")
        return encode(item, tell)

    with Spool(broken) as spool:
        for number in range(leads):
            add(spool, lead(10**6 + number))
        with engine, pytest.raises(SelaResponseError, match="nested too deeply") as told:
            land(engine, spool, Load(TaskRun("run"), stats(spool, moment(9999))))
    assert told.value.__cause__ is None
    assert told.value.__context__ is None
    assert [row["id"] for row in database.table()] == [1]


def test_what_leads_hold_is_judged_before_the_target_is_touched(database: Database) -> None:
    met: list[Any] = []
    engine = engine_for("warehouse", "leads")

    def judge() -> None:
        met.append((spool.nulled, spool.fields.unknown))
        raise SelaRequestError("no")

    with Spool(engine.dialect.encoder()) as spool:
        for item in (lead(1, score=1, next_call_time="x"), lead(2, lead_type="y")):
            add(spool, item)
        read = Load(TaskRun("run"), stats(spool, moment(1)))
        with engine, pytest.raises(SelaRequestError, match=r"^no$"):
            land(engine, spool, read, judge=judge)
    assert met == [(2, ["score"])]
    assert database.tables() == set()


def test_whatever_stands_in_a_documented_field_lands_as_it_is_read_alone(database: Database) -> None:
    """Pages and rows have a fast way and a slow one: no column may tell by which a lead came."""
    engine = engine_for("warehouse", "leads")
    with Spool(engine.dialect.encoder()) as spool:
        for item in LEADS:
            body = json.dumps({"count": 1, "next": None, "results": [item]}).encode()
            spool.add_all(raw_page(body, 1).leads)
        with engine:
            land(engine, spool, Load(TaskRun("run"), stats(spool, moment(1))))
    assert [landed(row) for row in database.table()] == [expected(item) for item in LEADS]
    counts = load_leads(reversed(LEADS), started=moment(2))
    assert (counts["new"], counts["changed"], counts["unchanged"]) == (0, 0, len(LEADS))


def test_texts_that_look_like_lines_of_the_bulk_path_land_as_they_are(database: Database) -> None:
    """Some databases are sent CSV, some JSON, and read it in blocks of a few megabytes."""
    encode = engine_for("warehouse", "leads").dialect.encoder()
    line = encode(RawLead.from_lead({"id": 1}), lambda nulled, unknown: None).decode()
    texts = ["\n".join([line] * number) for number in (1, 40, 300)]
    texts += ["\n\\.\n", "null", "\x01", "\x01,\x01", "\x02", '"', "\\", "\r\n", ""]
    leads = [lead(number, email=texts[number % len(texts)]) for number in range(1, 241)]
    load_leads(leads)
    assert [row["email"] for row in database.table()] == [item.get("email") for item in leads]
