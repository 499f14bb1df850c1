from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_sela.api.leads import Lead, canonical_json, lead_row
from airflow_provider_sela.api.pages import decode_page
from airflow_provider_sela.exceptions import SelaResponseError
from tests.support.odd_json import visible, wild


@given(wild)
def test_canonical_json_reads_back_as_the_value_with_unstorable_characters_made_visible(value: Any) -> None:
    text = canonical_json(value)
    text.encode()
    assert "\x00" not in text
    assert not re.search(r"(?<!\\)(\\\\)*\\u0000", text)
    # Sorted first: where two keys become one, the last of them wins on both sides.
    assert json.loads(text) == visible(json.loads(json.dumps(value, sort_keys=True)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1, 2]}, '{"a":[1,2],"b":1}'),
        ("é😀", '"é😀"'),
        ("\x00", '"\\\\u0000"'),
        ("\\u0000", '"\\\\u0000"'),
        ("\\\x00", '"\\\\\\\\u0000"'),
        ("\ud83d", '"\\\\ud83d"'),
        ('\x00"\n', '"\\\\u0000\\"\\n"'),
        ({"k\x00": "\udfff"}, '{"k\\\\u0000":"\\\\udfff"}'),
    ],
)
def test_canonical_json_has_one_spelling(value: Any, text: str) -> None:
    assert canonical_json(value) == text


def from_a_deep_stack(frames: int, call: Callable[[], Any]) -> Any:
    return call() if frames == 0 else from_a_deep_stack(frames - 1, call)


def test_a_lead_nested_as_deep_as_any_real_one_lands_whole() -> None:
    lead = nested_lead(500)
    assert str(lead_row(lead).values["metadata"]).count("[") == 500


def test_a_lead_that_can_be_read_but_not_written_is_an_error_of_ours() -> None:
    """The task that writes has called more functions than the thread that read."""
    with pytest.raises(SelaResponseError, match="nested"):
        write_ever_deeper()


def write_ever_deeper() -> None:
    for depth in count(500, 10):
        from_a_deep_stack(100, partial(lead_row, nested_lead(depth)))


def nested_lead(depth: int) -> Lead:
    nested = "[" * depth + '"\\u0000"' + "]" * depth
    body = f'{{"count":1,"next":null,"results":[{{"id":1,"metadata":{nested}}}]}}'
    return decode_page(body.encode(), 1).leads[0]
