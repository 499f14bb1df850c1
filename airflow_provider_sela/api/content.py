"""What a row holds, as bytes: they are hashed, and lines for databases are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
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


def digester(salt: bytes = b"", mark: str = "") -> Callable[[bytes], str]:
    """Make what makes 32 hexadecimal digits that stand for bytes: the first half of a SHA-256.

    Python on an OpenSSL in FIPS mode has that, and neither BLAKE2 nor MD5.

    :param salt: stands before the bytes.
    :param mark: stands before the digits.
    """
    # To copy one takes a third less time than to make one.
    begun = sha256(salt)

    def make(data: bytes) -> str:
        hashed = begun.copy()
        hashed.update(data)
        return mark + hashed.hexdigest()[:32]

    return make


digest = digester()


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
    return digest(b"\n".join((content[0], *content[1])))


def reject_hash(raw: str) -> str:
    """The same of a result without a usable id."""
    return content_hash((_encode([raw]), ()))
