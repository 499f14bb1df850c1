"""Leads that files must not break on, and what a typed row of each holds, written down by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

MEGABYTE = "🌻" * 250_000
INVALID_TIME = "025-02-28T15:09:03.122515-08:00"


class Case:
    """A lead as the API sends it and the columns of its row that are not NULL, besides ``id``."""

    def __init__(self, lead: dict[str, Any], **row: Any) -> None:
        self.lead = lead
        self.row = row


CASES = {
    "nothing but an id": Case({}),
    "empty text is not null": Case({"email": "", "us_state": None}, email=""),
    "emoji and right to left": Case({"email": "ليلى🌻𠮷@example.com"}, email="ليلى🌻𠮷@example.com"),
    "quotes, commas, line ends": Case(
        {"status_reason": 'a "b", c;\r\nd\ne\tf\\'}, status_reason='a "b", c;\r\nd\ne\tf\\'
    ),
    "spaces and a lone quote": Case({"us_state": ' " '}, us_state=' " '),
    "looks like a formula": Case({"lead_source": "=1+1"}, lead_source="=1+1"),
    "looks like null": Case({"lead_source": "NULL", "us_state": "\\N"}, lead_source="NULL", us_state="\\N"),
    "NUL in text": Case({"email": "a\x00b"}, email="a\ufffdb", extra={"_invalid": {"email": "a\\u0000b"}}),
    "unpaired surrogate": Case(
        {"email": "a\ud800b"}, email="a\ufffdb", extra={"_invalid": {"email": "a\\ud800b"}}
    ),
    "NUL and surrogate in metadata": Case({"metadata": {"\x00": "\udfff"}}, metadata={"\\u0000": "\\udfff"}),
    "a megabyte of metadata": Case({"metadata": {"notes": MEGABYTE}}, metadata={"notes": MEGABYTE}),
    "metadata is a list": Case({"metadata": [1, None, "x"]}, metadata=[1, None, "x"]),
    "metadata is text": Case({"metadata": "free, text"}, metadata="free, text"),
    "metadata is a number": Case({"metadata": 42}, metadata=42),
    "year of three digits": Case(
        {"next_call_time": INVALID_TIME}, extra={"_invalid": {"next_call_time": INVALID_TIME}}
    ),
    "empty timestamp": Case({"next_call_time": ""}, extra={"_invalid": {"next_call_time": ""}}),
    "first and last moment": Case(
        {"created_time": "0001-01-01T00:00:00.000001+00:00", "received_time": "9999-12-31T23:59:59.999999Z"},
        created_time=datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        received_time=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ),
    "offset": Case(
        {"created_time": "2025-02-28T15:09:03.122515-08:00"},
        created_time=datetime(2025, 2, 28, 23, 9, 3, 122515, tzinfo=UTC),
    ),
    "integers as text, 64 bits": Case(
        {"lead_type": "123", "reengagements_count": 2**63 - 1}, lead_type=123, reengagements_count=2**63 - 1
    ),
    "65 bits": Case({"lead_type": 2**63}, extra={"_invalid": {"lead_type": 2**63}}),
    "booleans": Case({"sms_dnc": True, "call_dnc": False}, sms_dnc=True, call_dnc=False),
    "a boolean that is none": Case({"sms_dnc": "maybe"}, extra={"_invalid": {"sms_dnc": "maybe"}}),
    "undocumented fields": Case(
        {"score": 0.5, "née": {"a": [None]}}, extra={"score": 0.5, "née": {"a": [None]}}
    ),
}
LEADS = [{"id": 2**62 + number, **case.lead} for number, case in enumerate(CASES.values())]
ROWS = [{"id": 2**62 + number, **case.row} for number, case in enumerate(CASES.values())]
NULLED = sum(len((case.row.get("extra") or {}).get("_invalid", {})) for case in CASES.values())


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row that are not NULL, JSON text decoded."""
    return {
        name: json.loads(value) if name in ("metadata", "extra") else value
        for name, value in row.items()
        if value is not None
    }
