"""Rows as CSV that is quoted by U+0001, for readers written in C.

JSON never holds that character as it is. So a JSON document needs no escape, and the other values of a row,
which are an array of JSON already, need none but for texts that JSON itself has to escape: quotation marks,
backslashes and control characters. Only where a row holds such a text its line is put together value by
value. A reader must be told of the quote, and that ``null`` without it is no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from airflow_provider_sela.api.content import DOCUMENT, Content

#: What stands around a text; inside one it is written twice.
QUOTE = b"\x01"


def csv_line(content: Content, *added: str | None) -> bytes:
    """A row as a line without its line feed.

    :param content: of the row.
    :param added: further texts, without U+0001.
    """
    line, documents = content
    if b"\\" in line:
        return csv_cells([*_values(content), *added])
    line = line[1:-1].replace(b'"', QUOTE)
    for document in documents:
        line = line.replace(DOCUMENT, b"\x01%b\x01" % document, 1)
    for text in added:
        line += b",null" if text is None else b",\x01%b\x01" % text.encode()
    return line


def _values(content: Content) -> Iterator[Any]:
    line, documents = content
    left = iter(documents)
    # No other value is an object.
    for value in msgspec.json.decode(line.replace(DOCUMENT, b"{}")):
        yield next(left).decode() if value == {} else value


def csv_cells(values: Iterable[Any]) -> bytes:
    """The same from the values, whatever they hold; a text with a line feed is more than one line."""
    return b",".join(map(_cell, values))


def _cell(value: Any) -> bytes:
    if isinstance(value, str):
        return b"\x01%b\x01" % value.replace("\x01", "\x01\x01").encode()
    return msgspec.json.encode(value)
