"""A line holds the values of its row exactly, whichever of them need an escape."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, cast

from hypothesis import example, given

from airflow_provider_sela.api.content import content_of
from airflow_provider_sela.api.documented import documented_content
from airflow_provider_sela.api.leads import Lead, lead_row
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.storage.csv_lines import QUOTE, csv_cells, csv_line
from tests.support.documented import DOCUMENTED
from tests.support.odd_json import leads


def cells(line: bytes) -> list[str]:
    """What a reader of CSV finds in a line."""
    (found,) = csv.reader(io.StringIO(line.decode(), newline=""), quotechar=QUOTE.decode(), strict=True)
    return found


@given(leads)
def test_a_reader_finds_each_value_in_its_place(lead: dict[str, Any]) -> None:
    values = [*lead_row(DOCUMENTED | lead).values.values(), "digest", None]
    found = cells(csv_cells(values))
    assert found == [value if isinstance(value, str) else json.dumps(value) for value in values]


@given(leads)
@example({})
@example({"email": "a,b", "metadata": {"a": 'say "é"\n'}})
@example({"email": 'a"\\\n\x01\x02b', "metadata": {"a": 'say "é"\n'}})
@example({"email": '"\x02', "metadata": {}, "score": "\x02"})
def test_the_line_of_a_content_holds_the_same_values(lead: dict[str, Any]) -> None:
    whole = DOCUMENTED | lead
    row = lead_row(whole)
    values = [*row.values.values()]
    raw = RawLead.from_lead(cast(Lead, whole))
    content, *told = raw.row_content()
    assert told == [row.nulled, row.unknown]
    for each in (content, content_of(values)):
        assert (each[0], [*each[1]]) == content_of(values)
        assert csv_line(each, "hash", "digest") == csv_cells([*values, "hash", "digest"])
        assert csv_line(each, "hash", None) == csv_cells([*values, "hash", None])
    assert documented_content(raw.json) is not None or lead.keys() - {"metadata"}


def test_a_text_is_told_from_a_value_that_looks_like_it() -> None:
    for name in ("email", "status"):
        text, none = ([*lead_row({"id": 1, name: value}).values.values()] for value in ("null", None))
        assert csv_cells(text) != csv_cells(none)


def test_a_document_needs_no_escape_and_a_text_that_json_escapes_does() -> None:
    plain, *_ = RawLead.from_lead({"id": 1, "email": "a,b", "metadata": {"a": 'say "é"\n'}}).row_content()
    assert b'\x01{"a":"say \\"\xc3\xa9\\"\\n"}\x01' in csv_line(plain)
    escaped, *_ = RawLead.from_lead({"id": 1, "email": 'a"\\\n\x01b'}).row_content()
    assert b'\x01a"\\\n\x01\x01b\x01' in csv_line(escaped)
