"""Generated JSON, and leads made of it, that no well-behaved server sends."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from airflow_provider_sela.api.leads import LEAD_FIELDS

NAMES = [field.name for field in LEAD_FIELDS]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


wild_text = st.text(st.characters() | st.sampled_from('\x00\ud800\udfff\\"u0'), max_size=8)


wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(wild_text, inner, max_size=3),
    max_leaves=10,
)


def visible(value: Any) -> Any:
    """The promise, written a second way: what no database stores becomes the text of its escape."""
    if isinstance(value, str):
        return re.sub("[\x00\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", value)
    if isinstance(value, list):
        return [visible(item) for item in value]
    if isinstance(value, dict):
        return {visible(key): visible(item) for key, item in value.items()}
    return value


leads = st.dictionaries(st.sampled_from([*NAMES, "_invalid", "score", "extra"]), wild)


identified = st.builds(lambda lead, key: {**lead, "id": key}, leads, st.integers(1, 2**63 - 1))
