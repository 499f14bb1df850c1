from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.content import content_hash, content_of
from airflow_provider_sela.api.leads import (
    EXTRA,
    LEAD_FIELDS,
    Kind,
    Lead,
    has_external_id,
    lead_row,
    microseconds,
)
from tests.support.documented import DOCUMENTED, MALFORMED_TIME
from tests.support.odd_json import json_values

INTEGERS = {"id", "lead_type", "reengagements_count"}
TIMESTAMPS = {
    "modified_time", "created_time", "next_call_time", "received_time", "last_reengagement_time",
    "call_schedule_start_time",
}  # fmt: skip
BOOLEANS = {"sms_dnc", "call_dnc"}


def hash_of(lead: Any) -> str:
    return content_hash(content_of(lead_row(lead).values.values()))


def row(**changes: Any) -> dict[str, Any]:
    return dict(lead_row(DOCUMENTED | changes).values)


def invalid(**changes: Any) -> dict[str, Any]:
    """What ``extra`` keeps of malformed values."""
    found: dict[str, Any] = json.loads(row(**changes)["extra"])["_invalid"]
    return found


def test_every_documented_field_has_its_documented_kind() -> None:
    kinds = dict(LEAD_FIELDS)
    assert list(kinds) == list(DOCUMENTED)
    assert {name for name, kind in kinds.items() if kind is Kind.INTEGER} == INTEGERS
    assert {name for name, kind in kinds.items() if kind is Kind.TIMESTAMP} == TIMESTAMPS
    assert {name for name, kind in kinds.items() if kind is Kind.BOOLEAN} == BOOLEANS
    assert {name for name, kind in kinds.items() if kind is Kind.JSON} == {"metadata"}
    assert set(Lead.__annotations__) == set(DOCUMENTED)


def test_the_documented_lead_becomes_a_row_of_typed_values() -> None:
    values, nulled, _ = lead_row(DOCUMENTED)
    assert not nulled
    assert list(values) == [*DOCUMENTED, EXTRA.name]
    assert values["id"] == 28013
    assert values["modified_time"] == "2025-02-28T23:09:03.139554+00:00"
    assert (
        values["metadata"] == '{"created_at":"02/28/2025 15:09","first_name":"Ada","timezone":"US/Pacific"}'
    )
    assert values["sms_dnc"] is False
    assert values["status_reason"] is None
    assert values["extra"] is None


def test_the_vendors_own_malformed_timestamp_becomes_null_and_stays_reachable() -> None:
    values, nulled, _ = lead_row(DOCUMENTED | {"next_call_time": MALFORMED_TIME})
    assert (values["next_call_time"], nulled) == (None, ("next_call_time",))
    assert json.loads(str(values["extra"])) == {"_invalid": {"next_call_time": MALFORMED_TIME}}


@pytest.mark.parametrize(
    "malformed",
    ["", "12:30", "2025-02-28T15:09:03", "2025-13-01T00:00:00Z", "now", 0, 1.5, True, [], {},
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2025-02-28\x00"],
)  # fmt: skip
@pytest.mark.parametrize("name", sorted(TIMESTAMPS))
def test_what_is_no_moment_is_nulled_counted_and_kept(name: str, malformed: Any) -> None:
    values, nulled, _ = lead_row(DOCUMENTED | {name: malformed})
    assert (values[name], nulled) == (None, (name,))
    kept = json.loads(str(values["extra"]))["_invalid"][name]
    assert kept == (malformed.replace("\x00", "\\u0000") if isinstance(malformed, str) else malformed)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-02-28T15:09:03Z", "2025-02-28T15:09:03.000000+00:00"),
        ("2025-02-28T15:09:03.1+05:30", "2025-02-28T09:39:03.100000+00:00"),
        ("2025-02-28 15:09:03.139554999-08:00", "2025-02-28T23:09:03.139554+00:00"),
        ("0900-01-01T00:00:00Z", "0900-01-01T00:00:00.000000+00:00"),
    ],
)
def test_timestamps_of_any_offset_become_utc_with_microseconds(text: str, utc: str) -> None:
    assert row(created_time=text)["created_time"] == utc


@pytest.mark.parametrize("name", sorted(INTEGERS))
@pytest.mark.parametrize(
    ("raw", "value"), [(5, 5), ("5", 5), ("-7", -7), (5.0, 5), (2**63 - 1, 2**63 - 1), (-(2**63), -(2**63))]
)
def test_whole_numbers_are_read_however_they_are_written(name: str, raw: Any, value: int) -> None:
    values, nulled, _ = lead_row(DOCUMENTED | {name: raw})
    assert (values[name], nulled) == (value, ())


@pytest.mark.parametrize("name", sorted(INTEGERS))
@pytest.mark.parametrize(
    "raw", [2**63, -(2**63) - 1, 10**400, 1.5, 1e300, True, "", "5 ", "1_0", "0x1", "٣", [], {}]
)
def test_what_is_no_64_bit_number_is_nulled_counted_and_kept(name: str, raw: Any) -> None:
    assert row(**{name: raw})[name] is None
    assert invalid(**{name: raw}) == {name: raw}


@pytest.mark.parametrize("name", sorted(BOOLEANS))
@pytest.mark.parametrize(
    ("raw", "value"),
    [
        *((raw, True) for raw in (True, 1, 1.0, "1", "true", "True")),
        *((raw, False) for raw in (False, 0, 0.0, "0", "false", "False")),
    ],
)
def test_booleans_are_read_however_they_are_written(name: str, raw: Any, value: bool) -> None:
    assert row(**{name: raw})[name] is value


@pytest.mark.parametrize("raw", ["", "yes", 2, -1, [], {}, [0]])
def test_a_do_not_call_flag_that_is_no_boolean_is_null_rather_than_false(raw: Any) -> None:
    assert row(call_dnc=raw)["call_dnc"] is None
    assert invalid(call_dnc=raw) == {"call_dnc": raw}


def test_numbers_where_text_is_documented_become_text() -> None:
    assert row(external_id=12345)["external_id"] == "12345"
    assert row(status=1.5)["status"] == "1.5"


@pytest.mark.parametrize("raw", [True, [], {"a": 1}, ["x"]])
def test_what_is_no_text_is_nulled_counted_and_kept(raw: Any) -> None:
    assert row(email=raw)["email"] is None
    assert invalid(email=raw) == {"email": raw}


@pytest.mark.parametrize(
    ("raw", "stored", "kept"), [("a\x00b", "a\ufffdb", "a\\u0000b"), ("\ud800x", "\ufffdx", "\\ud800x")]
)
def test_text_that_no_database_stores_is_replaced_counted_and_kept(raw: str, stored: str, kept: str) -> None:
    values, nulled, _ = lead_row(DOCUMENTED | {"status": raw})
    assert (values["status"], nulled) == (stored, ("status",))
    assert json.loads(str(values["extra"])) == {"_invalid": {"status": kept}}


@pytest.mark.parametrize("metadata", [{}, [], ["a"], "text", 42, 1.5, True, False, {"a": {"b": [None]}}])
def test_metadata_of_any_shape_is_kept_as_json(metadata: Any) -> None:
    values, nulled, _ = lead_row(DOCUMENTED | {"metadata": metadata})
    assert json.loads(str(values["metadata"])) == metadata
    assert not nulled


def test_missing_fields_are_null_and_not_counted() -> None:
    values, nulled, _ = lead_row({"id": 1})
    assert not nulled
    assert {name for name, value in values.items() if value is not None} == {"id"}


def test_unknown_fields_are_kept() -> None:
    assert json.loads(row(score=0.5, tags=["a"], note=None)["extra"]) == {
        "score": 0.5,
        "tags": ["a"],
        "note": None,
    }


def test_an_unknown_field_called_invalid_survives_beside_malformed_values_and_is_not_counted() -> None:
    values, nulled, _ = lead_row(DOCUMENTED | {"_invalid": "theirs", "lead_type": "x"})
    assert json.loads(str(values["extra"])) == {"_invalid": {"lead_type": "x", "_invalid": "theirs"}}
    assert nulled == ("lead_type",)


def test_a_lead_with_every_value_malformed_is_still_a_row() -> None:
    lead: dict[str, Any] = {name: {"un": "usable"} for name in DOCUMENTED} | {"id": 7}
    values, nulled, _ = lead_row(lead)
    assert values["id"] == 7
    assert len(nulled) == len(DOCUMENTED) - 2  # id is right, and metadata may be anything


@given(st.dictionaries(st.sampled_from([*DOCUMENTED, "_invalid", "other", "\x00"]), json_values))
def test_any_json_object_becomes_a_row_that_any_database_can_store(lead: dict[str, Any]) -> None:
    values, nulled, _ = lead_row(lead)
    assert set(nulled) <= {field.name for field in LEAD_FIELDS}
    for value in values.values():
        assert value is None or isinstance(value, int | str)
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    metadata = dict(reversed(DOCUMENTED["metadata"].items()))
    shuffled = dict(reversed((DOCUMENTED | {"metadata": metadata}).items()))
    assert hash_of(shuffled) == hash_of(DOCUMENTED)


@pytest.mark.parametrize("name", [*DOCUMENTED, "an_undocumented_field"])
def test_the_hash_changes_with_every_field(name: str) -> None:
    kind = dict(LEAD_FIELDS).get(name, Kind.JSON)
    other = {
        Kind.INTEGER: 99, Kind.TEXT: "other", Kind.TIMESTAMP: "2026-01-01T00:00:00Z", Kind.BOOLEAN: True,
        Kind.JSON: {"other": 1},
    }[kind]  # fmt: skip
    before = hash_of(DOCUMENTED)
    assert hash_of(DOCUMENTED | {name: other}) != before
    assert len(before) == 32


def test_the_hash_changes_when_one_malformed_value_becomes_another() -> None:
    assert hash_of(DOCUMENTED | {"lead_type": "x"}) != hash_of(DOCUMENTED | {"lead_type": "y"})


def test_microseconds_count_from_the_epoch() -> None:
    assert microseconds("1970-01-01T00:00:01.000002+00:00") == 1_000_002
    assert microseconds("1969-12-31T23:59:59Z") == -1_000_000
    assert microseconds(MALFORMED_TIME) is None
    assert microseconds(None) is None


def test_an_external_id_matches_whole_and_as_text() -> None:
    assert has_external_id({"id": 1, "external_id": "7"}, "7")
    assert not has_external_id({"id": 1, "external_id": "77"}, "7")
    assert not has_external_id({"id": 1, "external_id": None}, "None")
    assert not has_external_id({"id": 1}, "7")


def test_an_external_id_that_either_side_writes_as_a_number_still_matches() -> None:
    number: Any = 7
    assert has_external_id({"id": 1, "external_id": number}, "7")
    assert has_external_id({"id": 1, "external_id": "7"}, number)
