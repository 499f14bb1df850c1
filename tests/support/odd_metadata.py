"""Metadata of every shape that JSON has."""

from __future__ import annotations

from typing import Any

DEEP: Any = "bottom"
for _ in range(200):
    DEEP = [DEEP]

METADATA: dict[str, Any] = {
    "null": None,
    "list": ["a", {"b": 1}],
    "text": "free text",
    "number": 42,
    "number with a fraction": 1.5,
    "boolean": False,
    "empty text": "",
    "empty object": {},
    "a megabyte": {"note": "x" * 1_000_000},
    "text that looks like JSON": '{"a": 1}',
    "text that looks like null": "null",
    "emoji": {"name": "Zoë 🏡 𠮷田 ليلى"},
    "control characters": {"note": "tab\tline\nreturn\rbell\x07del\x7f"},
    "marks of COPY": {"note": "\\N \\. \\t % %s ? :x $1 {}"},
    "quotes": {"note": 'O\'Malley "Annie" `x` ; -- /* */'},
    "a key that is empty": {"": 1},
    "a number of 30 digits": {"n": 123456789012345678901234567890},
}
