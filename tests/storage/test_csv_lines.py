"""A line holds the values of its row exactly, whichever of them need an escape."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hypothesis import given

from airflow_provider_sela.api.content import content_of
from airflow_provider_sela.api.leads import lead_row
from airflow_provider_sela.storage.csv_lines import QUOTE, csv_line
from tests.support.documented import DOCUMENTED
from tests.support.odd_json import leads


def cells(line: bytes) -> list[str]:
    """What a reader of CSV finds in a line."""
    (found,) = csv.reader(io.StringIO(line.decode(), newline=""), quotechar=QUOTE.decode(), strict=True)
    return found


@given(leads)
def test_a_reader_finds_each_value_in_its_place(lead: dict[str, Any]) -> None:
    values = list(lead_row(DOCUMENTED | lead).values.values())
    line = csv_line(values, content_of(values), "digest", None)
    assert cells(line) == [
        value if isinstance(value, str) else json.dumps(value) for value in (*values, "digest", None)
    ]


def test_a_text_is_told_from_a_value_that_looks_like_it() -> None:
    for name in ("email", "status"):
        text, none = ([*lead_row({"id": 1, name: value}).values.values()] for value in ("null", None))
        assert csv_line(text, content_of(text)) != csv_line(none, content_of(none))


def test_only_a_text_that_json_escapes_is_written_by_hand_and_no_document_is() -> None:
    plain = [*lead_row({"id": 1, "email": "a,b", "metadata": {"a": 'say "é"\n'}}).values.values()]
    escaped = [*lead_row({"id": 1, "email": 'a"\\\n\x01b'}).values.values()]
    assert b'\x01{"a":"say \\"\xc3\xa9\\"\\n"}\x01' in csv_line(plain, content_of(plain))
    assert b'\x01a"\\\n\x01\x01b\x01' in csv_line(escaped, content_of(escaped))
