"""What must hold for every lead: nothing of it is dropped, and its hash changes if and only if it does."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.content import content_hash, content_of
from airflow_provider_sela.api.leads import (
    LEAD_FIELDS,
    Kind,
    canonical_json,
    lead_row,
    microseconds,
)
from airflow_provider_sela.api.pages import decode_page
from airflow_provider_sela.exceptions import SelaResponseError
from tests.support.documented import DOCUMENTED
from tests.support.odd_json import identified, leads, visible, wild

NAMES = [field.name for field in LEAD_FIELDS]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

moments = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 (the zone is drawn beside it)
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439)),
)


def hash_of(values: dict[str, Any]) -> str:
    return content_hash(content_of(values.values()))


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same content with the keys of every object in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(leads)
def test_each_value_is_in_its_column_or_in_extra_in_its_raw_form(lead: dict[str, Any]) -> None:
    values, nulled, _ = lead_row(lead)
    extra = json.loads(str(values["extra"])) if values["extra"] is not None else {}
    invalid = extra.pop("_invalid", {}) if nulled else {}
    known = dict(LEAD_FIELDS)
    for name, raw in lead.items():
        if name not in known:
            assert (invalid if nulled and name == "_invalid" else extra)[name] == visible(raw)
        elif name in invalid and name != "_invalid":
            assert invalid[name] == visible(raw)
        elif known[name] is Kind.JSON and raw is not None:
            assert json.loads(str(values[name])) == visible(raw)
        elif raw is not None:
            assert values[name] in (raw, str(raw)) or known[name] is not Kind.TEXT
    assert sorted(nulled) == [name for name in invalid if name != "_invalid"]
    assert all(values[name] is None for name in NAMES if lead.get(name) is None)


@given(moments)
def test_a_moment_is_the_same_in_any_offset_to_the_microsecond(moment: datetime) -> None:
    text = moment.isoformat()
    exact = (moment - EPOCH) // timedelta(microseconds=1)
    assert microseconds(text) == exact
    values, nulled, _ = lead_row({"id": 1, "created_time": text})
    stored = str(values["created_time"])
    assert not nulled
    assert datetime.fromisoformat(stored) == moment
    assert stored.endswith("+00:00")
    assert len(stored) == len("2025-02-28T23:09:03.139554+00:00")


@given(leads, st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_the_order_of_keys_at_any_depth(
    lead: dict[str, Any], chance: random.Random
) -> None:
    row, again = lead_row(lead), lead_row(shuffled(lead, chance))
    assert hash_of(row.values) == hash_of(again.values)


@given(leads, leads)
def test_the_hash_differs_exactly_where_the_rows_do(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = lead_row(DOCUMENTED | one).values, lead_row(DOCUMENTED | other).values
    assert (hash_of(first) == hash_of(second)) == (canonical_json(first) == canonical_json(second))


@given(st.sampled_from(["metadata", "score"]), wild, wild)
def test_a_change_in_free_json_is_seen_by_the_hash(name: str, before: Any, after: Any) -> None:
    one, other = (lead_row(DOCUMENTED | {name: value}).values for value in (before, after))
    assert (hash_of(one) == hash_of(other)) <= (visible(before) == visible(after))


@given(st.lists(identified, max_size=4))
def test_leads_come_out_of_a_page_as_they_went_in_flat_or_nested(written: list[dict[str, Any]]) -> None:
    page: dict[str, Any] = {"count": 9, "next": None, "previous": None, "results": written}
    for envelope in (page, page | {"results": [page]}):
        decoded = decode_page(json.dumps(envelope).encode(), 1)
        assert (decoded.leads, decoded.rejects) == (written, [])


@given(
    st.sampled_from(["", "https://api.trysela.com", "http://127.0.0.1:1", "//evil.example", "javascript:"]),
    st.text(max_size=20),
    st.integers(-3, 6) | st.text(max_size=3),
    st.integers(1, 4),
)
def test_next_leads_to_the_next_page_or_is_refused(host: str, path: str, number: object, page: int) -> None:
    body = {"count": 9, "next": f"{host}/{path}?page={number}", "results": []}
    try:
        decoded = decode_page(json.dumps(body).encode(), page)
    except SelaResponseError:
        return
    assert decoded.next_page == page + 1
