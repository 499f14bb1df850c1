"""What must hold for any bytes that a server may send: a page, typed rows and hashes, or an error of ours."""

from __future__ import annotations

import json
import re

from airflow_provider_sela.api.content import content_hash, content_of
from airflow_provider_sela.api.leads import (
    EXTRA,
    LEAD_FIELDS,
    Lead,
    canonical_json,
    lead_row,
    microseconds,
)
from airflow_provider_sela.api.pages import Page, decode_page
from airflow_provider_sela.api.raw import RawLead, raw_page
from airflow_provider_sela.exceptions import SelaResponseError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def check(body: bytes) -> None:
    """Decode and convert; anything but the promised comes out as an exception.

    :param body: an answer of the list endpoint, or not.
    """
    try:
        page = decode_page(body, 1)
    except SelaResponseError:
        return
    assert page.next_page in (None, 2)
    assert page.count >= 0
    for lead in page.leads:
        assert type(lead["id"]) is int
        microseconds(lead.get("modified_time"))
        try:
            values, nulled, _ = lead_row(lead)
            content_hash(content_of(values.values()))
        except SelaResponseError:
            continue
        assert list(values) == [*(field.name for field in LEAD_FIELDS), EXTRA.name]
        assert set(nulled) <= values.keys()
        for value in values.values():
            assert value is None or type(value) in (int, str, bool)
            assert not isinstance(value, str) or not _UNSTORABLE.search(value)
        for name in ("metadata", "extra"):
            json.loads(str(values[name] or "null"))
    same_of_bytes(body, page)
    for item in page.rejects:
        try:
            text = canonical_json(item)
        except SelaResponseError:
            continue
        assert not _UNSTORABLE.search(text)
        json.loads(text)


def same_of_bytes(body: bytes, page: Page[Lead]) -> None:
    """What is read of leads only as far as it is needed is the same."""
    raw = raw_page(body, 1)
    assert (raw.count, raw.next_page) == (page.count, page.next_page)
    assert canonical_json(raw.rejects) == canonical_json(page.rejects)
    for one, lead in zip(raw.leads, page.leads, strict=True):
        assert one[:3] == RawLead.from_lead(lead)[:3]
        try:
            row, expected = one.row(), lead_row(lead)
        except SelaResponseError:
            continue
        assert row == expected
        assert list(row.values) == list(expected.values)
