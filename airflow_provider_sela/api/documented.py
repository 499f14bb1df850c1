"""The fast way from a lead's bytes to its row, for leads that are as documented.

Almost every lead has the documented fields and no others, each of its documented type, or a text that is no
time where one should be. msgspec reads those straight into typed values. Of whatever is different nothing is
made here, and the way is :func:`~airflow_provider_sela.api.leads.lead_row`, which leads to the same rows.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from airflow_provider_sela.api.content import DOCUMENT_VALUE, Content
from airflow_provider_sela.api.leads import INVALID, LEAD_FIELDS, SORTED, Kind, timestamp

#: An integer that every database holds.
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
#: What msgspec says to JSON that it does not take, or that is not of the type.
OTHERWISE = (msgspec.MsgspecError, ValueError, RecursionError)

_TYPES: dict[Kind, Any] = {
    Kind.INTEGER: Integer | None,
    Kind.TEXT: str | None,
    Kind.TIMESTAMP: str | None,
    Kind.BOOLEAN: bool | None,
    Kind.JSON: Any,
}
_TIMES = [place for place, (_, kind) in enumerate(LEAD_FIELDS) if kind is Kind.TIMESTAMP]
_NAMES = [name for name, _ in LEAD_FIELDS]
_METADATA, _EXTRA = _NAMES.index("metadata"), len(_NAMES)
_decode = msgspec.json.Decoder(
    msgspec.defstruct(
        "Documented",
        [(name, _TYPES[kind], None) for name, kind in LEAD_FIELDS],
        forbid_unknown_fields=True,
        gc=False,
    )
).decode
_astuple = msgspec.structs.astuple
_encode, _encode_sorted = msgspec.json.Encoder().encode, SORTED.encode
_NUL = re.compile(rb"\\u0000").search
# As the API writes it, 2025-02-28T15:09:03.139554-08:00, in whole hours from UTC. Few hours are distinct, and
# looking one up takes a third of the time of converting the moment.
_USUAL_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}")
_USUAL_OFFSET = re.compile(r"Z|[+-][0-9]{2}:00")
_usual_rests = re.compile(r"(?::[0-5][0-9]:[0-5][0-9]\.[0-9]{6})*").fullmatch
_MOST_HOURS = 4096


class _Hours(dict[str, str]):
    """Hours in UTC by the same hours elsewhere, as far as they were looked up.

    :param offset: from UTC, as it is written.
    :raises LookupError: for other text.
    """

    def __init__(self, offset: str) -> None:
        self._offset = offset

    def __missing__(self, text: str) -> str:
        moment = _USUAL_HOUR.fullmatch(text) and timestamp(f"{text}:00:00{self._offset}")
        if not moment:
            raise LookupError
        if len(self) >= _MOST_HOURS:
            self.clear()
        self[text] = hour = moment[:13]
        return hour


class _Elsewhere(dict[str, _Hours]):
    """The same for each offset from UTC."""

    def __missing__(self, offset: str) -> _Hours:
        if not _USUAL_OFFSET.fullmatch(offset):
            raise LookupError
        self[offset] = hours = _Hours(offset)
        return hours


_HOURS = _Elsewhere()


def documented_values(data: bytes) -> tuple[list[Any], tuple[str, ...]] | None:
    """The values of the row of such a lead, and the names of malformed ones; None for any other."""
    typed = _typed(data)
    if typed is None:
        return None
    values, documents, nulled = typed
    left = iter(documents)
    for place in (_METADATA, _EXTRA):
        if values[place] is not None:
            values[place] = next(left).decode()
    return values, nulled


def documented_content(data: bytes) -> tuple[Content, tuple[str, ...]] | None:
    """The content of the same row, for less than its values."""
    typed = _typed(data)
    if typed is None:
        return None
    values, documents, nulled = typed
    return (_encode(values), documents), nulled


def _typed(data: bytes) -> tuple[list[Any], list[bytes], tuple[str, ...]] | None:
    """The values of the row but for its JSON documents, those, and the names of malformed values."""
    # The first look is short, and mostly the last.
    if b"\\" in data and _NUL(data):
        return None
    documents = []
    try:
        values = [*_astuple(_decode(data)), None]
        if values[_METADATA] is not None:
            documents.append(_encode_sorted(values[_METADATA]))
            values[_METADATA] = DOCUMENT_VALUE
    except OTHERWISE:
        return None
    rests = ""
    try:
        for place in _TIMES:
            text = values[place]
            if text is not None:
                rest = text[13:26]
                values[place] = f"{_HOURS[text[26:]][text[:13]]}{rest}+00:00"
                rests += rest
        usual = _usual_rests(rests) is not None
    except LookupError:
        usual = False
    return (values, documents, ()) if usual else _with_unusual_times(data, values, documents)


def _with_unusual_times(
    data: bytes, values: list[Any], documents: list[bytes]
) -> tuple[list[Any], list[bytes], tuple[str, ...]]:
    """The same once each time is read alone: a malformed one is kept in ``extra``, as it came."""
    # Some of the values may be converted already.
    came, invalid = _astuple(_decode(data)), dict[str, str]()
    for place in _TIMES:
        text = came[place]
        values[place] = None if text is None else timestamp(text)
        if text is not None and values[place] is None:
            invalid[_NAMES[place]] = text
    if invalid:
        documents.append(_encode_sorted({INVALID: invalid}))
        values[_EXTRA] = DOCUMENT_VALUE
    return values, documents, tuple(invalid)
