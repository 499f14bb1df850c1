"""The fast way from a lead's bytes to its row, for leads that are as documented.

Almost every lead has the documented fields and no others, each of its documented type. msgspec reads those
straight into typed values. Of whatever is different nothing is made here, and the way is
:func:`~airflow_provider_sela.api.leads.lead_row`, which leads to the same rows.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from airflow_provider_sela.api.content import DOCUMENT_VALUE, Content
from airflow_provider_sela.api.leads import LEAD_FIELDS, SORTED, Kind, timestamp

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
_METADATA = [name for name, _ in LEAD_FIELDS].index("metadata")
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


def documented_values(data: bytes) -> list[Any] | None:
    """The values of the row of such a lead; None for any other."""
    typed = _typed(data)
    if typed is None:
        return None
    values, metadata = typed
    if metadata is not None:
        values[_METADATA] = metadata.decode()
    return values


def documented_content(data: bytes) -> Content | None:
    """The content of the same row, for less than its values."""
    typed = _typed(data)
    if typed is None:
        return None
    values, metadata = typed
    documents = () if metadata is None else (metadata,)
    if documents:
        values[_METADATA] = DOCUMENT_VALUE
    return _encode(values), documents


def _typed(data: bytes) -> tuple[list[Any], bytes | None] | None:
    """The values of the row but for ``metadata``, and that as sorted JSON."""
    # The first look is short, and mostly the last.
    if b"\\" in data and _NUL(data):
        return None
    try:
        values = [*_astuple(_decode(data)), None]
        metadata, values[_METADATA] = values[_METADATA], None
        document = None if metadata is None else _encode_sorted(metadata)
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
    return (values, document) if usual or _convert(values) else None


def _convert(values: list[Any]) -> bool:
    """Put all times into UTC, whether they are already or not; False if one is malformed."""
    for place in _TIMES:
        if values[place] is not None:
            values[place] = timestamp(values[place])
            if values[place] is None:
                return False
    return True
