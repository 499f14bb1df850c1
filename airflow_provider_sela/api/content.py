"""What a row holds, as bytes: they are hashed, and lines for databases are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Kind

#: Stands for a JSON document among other values; JSON writes this character as an escape.
DOCUMENT = b"\x02"
DOCUMENT_VALUE = msgspec.Raw(DOCUMENT)
Content = tuple[bytes, Sequence[bytes]]
"""The values of a row in bytes that differ when, and only when, the values do.

First a JSON array of all values in their order, in which :data:`DOCUMENT` stands for each JSON document: as a
JSON string, every quotation mark of it would be escaped. Then those documents.
"""

_encode = msgspec.json.Encoder().encode
_JSON_PLACES = [place for place, field in enumerate((*LEAD_FIELDS, EXTRA)) if field.kind is Kind.JSON]


def content_of(values: Iterable[Any]) -> Content:
    """The content of a :class:`~airflow_provider_sela.api.leads.Row`, from all of its values."""
    every = [*values]
    documents = []
    for place in _JSON_PLACES:
        if every[place] is not None:
            documents.append(every[place].encode())
            every[place] = DOCUMENT_VALUE
    return _encode(every), documents


def content_hash(content: Content) -> str:
    """32 hexadecimal digits that change when, and only when, the content does.

    A change cannot be told from ``modified_time``: the vendor's framework has writes that do not touch it.
    """
    # Line feeds tell where documents end: in JSON as it is stored there are none.
    return blake2b(b"\n".join((content[0], *content[1])), digest_size=16).hexdigest()


def reject_hash(raw: str) -> str:
    """The same of a result without a usable id."""
    return content_hash((_encode([raw]), ()))
