"""A line holds the values of its row exactly, whichever of them need an escape."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, cast

from hypothesis import example, given

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
def test_the_line_of_a_usual_lead_is_the_same(lead: dict[str, Any]) -> None:
    whole = DOCUMENTED | lead
    content = RawLead.from_lead(cast(Lead, whole)).plain_content()
    if content is not None:
        values = [*lead_row(whole).values.values(), "hash", "digest"]
        assert csv_line(content, "hash", "digest") == csv_cells(values)
    else:
        assert lead.keys() - {"metadata"}


def test_a_text_is_told_from_a_value_that_looks_like_it() -> None:
    for name in ("email", "status"):
        text, none = ([*lead_row({"id": 1, name: value}).values.values()] for value in ("null", None))
        assert csv_cells(text) != csv_cells(none)


def test_only_a_text_that_json_escapes_is_written_by_hand_and_no_document_is() -> None:
    plain = RawLead.from_lead({"id": 1, "email": "a,b", "metadata": {"a": 'say "é"\n'}}).plain_content()
    assert plain is not None
    assert b'\x01{"a":"say \\"\xc3\xa9\\"\\n"}\x01' in csv_line(plain)
    escaped = {"id": 1, "email": 'a"\\\n\x01b'}
    assert RawLead.from_lead(cast(Lead, escaped)).plain_content() is None
    assert b'\x01a"\\\n\x01\x01b\x01' in csv_cells(lead_row(escaped).values.values())
