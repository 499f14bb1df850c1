"""Whatever a lead holds, it lands, and so do all others; on every engine."""

from __future__ import annotations

import json
from typing import Any

from tests.support.databases import Database
from tests.support.loads import lead, load_leads
from tests.support.odd_metadata import DEEP, METADATA

#: Values that no column of their field can hold.
MALFORMED: list[tuple[str, Any]] = [
    ("next_call_time", "025-02-28T15:09:03.122515-08:00"),
    ("next_call_time", ""),
    ("next_call_time", "2025-02-28"),
    ("next_call_time", "9999-12-31T23:59:59.999999-08:00"),
    ("modified_time", 1740783600),
    ("lead_type", "not a number"),
    ("lead_type", 2**63),
    ("reengagements_count", 1.5),
    ("sms_dnc", "perhaps"),
    ("email", {"address": "a@example.com"}),
]


def test_metadata_lands_as_it_came(database: Database) -> None:
    load_leads(lead(number, metadata=value) for number, value in enumerate(METADATA.values()))
    assert dict(zip(METADATA, (row["metadata"] for row in database.table()), strict=True)) == METADATA


def test_text_lands_as_it_came(database: Database) -> None:
    notes = [METADATA[name]["note"] for name in ("marks of COPY", "control characters", "quotes")]
    texts = [*notes, "NULL", "null", '""', 'a line\n\\.\r\n"another", \\', "\\", '\\"', "\u2028\x85"]
    load_leads(
        lead(number, email=text, status="", external_id=" padded ") for number, text in enumerate(texts)
    )
    landed = [(row["email"], row["status"], row["external_id"]) for row in database.table()]
    assert landed == [(text, "", " padded ") for text in texts]


def test_what_no_database_takes_is_made_visible_and_kept(database: Database) -> None:
    load_leads([lead(1, email="a\x00b", status="\ud800", metadata={"k\x00": "v\x00", "s": "\udfff"})])
    (row,) = database.table()
    assert (row["email"], row["status"]) == ("a\ufffdb", "\ufffd")
    assert row["metadata"] == {"k\\u0000": "v\\u0000", "s": "\\udfff"}
    assert row["extra"]["_invalid"] == {"email": "a\\u0000b", "status": "\\ud800"}


def test_a_malformed_value_becomes_null_is_counted_and_kept(database: Database) -> None:
    leads = [lead(number, **{field: raw}) for number, (field, raw) in enumerate(MALFORMED)]
    assert load_leads([*leads, lead(99_999)])["nulled"] == len(MALFORMED)
    for row, (field, raw) in zip(database.table()[:-1], MALFORMED, strict=True):
        assert row[field] is None
        assert row["extra"] == {"_invalid": {field: raw}}


def test_integers_that_came_as_text_are_integers(database: Database) -> None:
    assert load_leads([lead(1, lead_type="123", reengagements_count="-4", sms_dnc="false")])["nulled"] == 0
    (row,) = database.table()
    assert (row["lead_type"], row["reengagements_count"], row["sms_dnc"]) == (123, -4, False)


def test_ids_of_64_bits_stay_exact(database: Database) -> None:
    big = [2**31, 2**53 + 1, 2**63 - 2, 2**63 - 1]
    load_leads(lead(number, lead_type=-number) for number in big)
    assert load_leads([lead(number, lead_type=-number) for number in big])["unchanged"] == len(big)
    assert [(row["id"], row["lead_type"]) for row in database.table()] == [
        (number, -number) for number in big
    ]


def test_a_lead_with_nothing_but_an_id_lands(database: Database) -> None:
    load_leads([{"id": 1}])
    (row,) = database.table()
    assert {value for name, value in row.items() if not name.startswith("_sela_")} == {1, None}


def test_fields_that_nobody_documented_are_kept(database: Database) -> None:
    load_leads([lead(1, score=0.5, tags=["a"], **{"ro\"bert'); DROP TABLE leads; --": True})])
    (row,) = database.table()
    assert row["extra"] == {"score": 0.5, "tags": ["a"], "ro\"bert'); DROP TABLE leads; --": True}


def test_json_of_any_depth_is_kept(database: Database) -> None:
    load_leads([lead(1, metadata=DEEP), lead(2, other=DEEP), lead(3)])
    first, second, third = database.table()
    if database.name == "mariadb":
        assert first["metadata"] is None
        assert json.loads(first["extra"]["_invalid"]["metadata"]) == DEEP
        assert json.loads(second["extra"]["_invalid"]["extra"]) == {"other": DEEP}
    else:
        assert (first["metadata"], second["extra"]) == (DEEP, {"other": DEEP})
    assert third["metadata"] == lead(3)["metadata"]
