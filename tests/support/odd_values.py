"""A lead with each documented field replaced by each value that somebody's server may send there."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.api.leads import LEAD_FIELDS
from tests.support.documented import DOCUMENTED

_MOMENT = "2025-02-28T15:09:03.139554-08:00"
TIMES = (
    _MOMENT.replace("554", "5547"),
    _MOMENT.replace("T", "t"),
    _MOMENT.replace("T", " "),
    _MOMENT.replace(".", ","),
    "2025-02-28T15:09:03z",
    "2025-02-28T15:09:03Z",
    "2025-02-28T15:09:03.5Z",
    "2025-02-28",
    "2025-02-28T15:09:03",
    "2025-W09-5T10:00:00Z",
    "2025-02-28T24:00:00Z",
    "2025-02-28T15:09:60Z",
    "2025-02-30T15:09:03.139554-08:00",
    "2025-02-28T15:69:03.139554-08:00",
    "2025-02-28T25:09:03.139554-08:00",
    _MOMENT.replace("-08:00", "-24:00"),
    _MOMENT.replace("-08:00", "+05:30"),
    _MOMENT.replace("-08:00", "-00:00"),
    _MOMENT.replace("-08:00", "-0800"),
    _MOMENT.replace("-08:00", "+05:30:15"),
    "20250228T150903.139554-0800",
    f" {_MOMENT}",
    f"{_MOMENT} ",
    "0000-01-01T00:00:00.000000+00:00",
    "0001-01-01T00:00:00.000000+10:00",
    "9999-12-31T23:59:59.999999-08:00",
    "2025-02-28T15:09:03.13955\u0664-08:00",
    "\u0662025-02-28T15:09:03.139554-08:00",
)
TEXTS = (
    "",
    " ",
    "null",
    "\\N",
    "a\tb\nc\r\nd",
    'q"u\\o\\"te',
    "a,b;c",
    "\x01",
    "a\x01b",
    "\x7f\u2028\ufeff",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "🌻",
    "=1+1",
    "0",
    "1",
    "-5",
    "007",
    str(2**63 - 1),
    str(2**63),
    "true",
    "False",
    "{}",
    "[1]",
    "e\u0301",
    "é ",
    "\\u0000",
    "\b\f",
)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.0,
    -0.0,
    1.5,
    2**53,
    float(2**53),
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    0.1,
    [],
    {},
    [1, None],
    {"b": 1, "a": {"d": [{}], "c": None}},
    {"\x00": "\ud800"},
    {"": ""},
    {"É": 1, "e": 2, "Z": 3, "🌻": 4},
)
LEADS = [
    {**DOCUMENTED, "id": number, name: value}
    for number, (name, value) in enumerate(
        (name, value) for name, _ in LEAD_FIELDS[1:] for value in (*TIMES, *TEXTS, *OTHERS)
    )
]
