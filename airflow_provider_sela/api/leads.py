"""What a lead is: its documented fields, their kinds, and the typed row that it becomes.

The fields are those of the vendor's "List Leads" reference page. Nothing that the API sends is dropped: a
field that the page does not document goes to ``extra``, and so does the raw form of a value that its column
cannot hold (under ``_invalid``), while the column itself becomes NULL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple, TypedDict

import msgspec

from airflow_provider_sela.exceptions import SelaResponseError

#: Writes a lead six times faster than json, in the same bytes but for the exponents of floats (1e16, 1e+16).
SORTED = msgspec.json.Encoder(order="sorted")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63
# Integers below it are exact in a float.
_EXACT_IN_FLOAT = 2**53
_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
# What is legal in JSON but in no database's text: NUL and unpaired surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The same in JSON text, where NUL is an escape; every escape matches, so that none is read from its middle.
_UNSTORABLE_JSON = re.compile(r"\\u0000|\\.|[\ud800-\udfff]")


class Kind(Enum):
    """Kind of value in a column; each landing maps it to a type of its own."""

    INTEGER = "integer"
    TEXT = "text"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"
    JSON = "json"


class Field(NamedTuple):
    """A documented field of a lead, or a column made of it."""

    name: str
    kind: Kind


LEAD_FIELDS = (
    Field("id", Kind.INTEGER),
    Field("email", Kind.TEXT),
    Field("phone_number", Kind.TEXT),
    Field("metadata", Kind.JSON),
    Field("modified_time", Kind.TIMESTAMP),
    Field("created_time", Kind.TIMESTAMP),
    Field("status", Kind.TEXT),
    Field("status_reason", Kind.TEXT),
    Field("lead_source", Kind.TEXT),
    Field("lead_type", Kind.INTEGER),
    Field("next_call_time", Kind.TIMESTAMP),
    Field("next_call_time_reason", Kind.TEXT),
    Field("external_id", Kind.TEXT),
    Field("us_state", Kind.TEXT),
    Field("received_time", Kind.TIMESTAMP),
    Field("reengagements_count", Kind.INTEGER),
    Field("last_reengagement_time", Kind.TIMESTAMP),
    Field("call_schedule_start_time", Kind.TIMESTAMP),
    Field("sms_dnc", Kind.BOOLEAN),
    Field("call_dnc", Kind.BOOLEAN),
)
#: JSON column for undocumented fields and for the raw form of malformed values.
EXTRA = Field("extra", Kind.JSON)
#: Where in it the raw forms of malformed values are, by the names of their columns.
INVALID = "_invalid"
#: What the name of a field that the API does not document begins with, where a field is named.
UNDOCUMENTED = f"{EXTRA.name}."
_NAMES = frozenset(field.name for field in LEAD_FIELDS)


class Lead(TypedDict, total=False):
    """A lead as the API sends it: plain JSON data. Only ``id`` is certain to be there.

    Fields that the vendor adds without notice are present too.
    """

    id: int
    email: str | None
    phone_number: str
    metadata: Any
    modified_time: str
    created_time: str
    status: str
    status_reason: str | None
    lead_source: str
    lead_type: int
    next_call_time: str | None
    next_call_time_reason: str | None
    external_id: str | None
    us_state: str | None
    received_time: str | None
    reengagements_count: int
    last_reengagement_time: str | None
    call_schedule_start_time: str | None
    sms_dnc: bool
    call_dnc: bool


class Row(NamedTuple):
    """A lead made ready to land.

    :param values: by column name, for every column of :data:`LEAD_FIELDS` and ``extra``: int, str, bool or
        None. Timestamps are text in UTC, ``2025-02-28T23:09:03.139554+00:00``; JSON columns are canonical
        JSON text.
    :param nulled: names of the columns whose value was malformed; its raw form is in ``extra`` under
        ``_invalid``.
    :param unknown: names of the fields that are not documented, whose values are in ``extra``.
    """

    values: dict[str, int | str | bool | None]
    nulled: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def lead_id(item: object) -> int | None:
    """The ``id`` of something found in ``results``, None if it has no usable one."""
    return _integer(item.get("id")) if isinstance(item, dict) else None


def has_external_id(lead: Lead, external_id: str) -> bool:
    """Whether a lead has exactly this ``external_id``; a server that stores numbers compares as text."""
    value = lead.get("external_id")
    return value is not None and str(value) == str(external_id)


def lead_row(lead: Mapping[str, Any]) -> Row:
    """Turn a lead into typed values; never fails because of a bad value."""
    values: dict[str, int | str | bool | None] = {}
    invalid: dict[str, Any] = {}
    get = lead.get
    for name, convert in _COLUMNS:
        raw = get(name)
        values[name] = value = None if raw is None else convert(raw)
        if value is not raw and (value is None or (name in _TEXTS and isinstance(raw, str))):
            invalid[name] = raw
    extra: dict[str, Any] = {}
    if lead.keys() != _NAMES:
        extra = {name: value for name, value in lead.items() if name not in _NAMES}
    nulled, unknown = tuple(invalid), tuple(extra)
    if invalid:
        if INVALID in extra:
            invalid[INVALID] = extra[INVALID]
        extra[INVALID] = invalid
    values[EXTRA.name] = canonical_json(extra) if extra else None
    return Row(values, nulled, unknown)


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces.

    NUL and unpaired surrogates, legal in JSON and refused by databases, become visible ``\\uXXXX`` text.

    :raises SelaResponseError: nested hundreds of levels deep, beyond what Python can write.
    """
    try:
        text = sorted_json(value)
    except (UnicodeEncodeError, RecursionError):
        return _canonical_json(value)
    # The first look is short, and mostly the last.
    return _canonical_json(value) if "\\" in text and "\\u0000" in text else text


def sorted_json(value: object) -> str:
    """The same where nothing is to be made visible.

    :raises UnicodeEncodeError, RecursionError: something is, or it is nested too deeply.
    """
    return SORTED.encode(value).decode()


def _canonical_json(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise SelaResponseError("a lead is nested too deeply to be written as JSON") from None
    return _UNSTORABLE_JSON.sub(_visible, text) if "\\u0000" in text or _UNSTORABLE.search(text) else text


def microseconds(value: object) -> int | None:
    """A timestamp of the API as microseconds since the epoch, None where it is missing or malformed."""
    moment = _moment(value)
    if moment is None:
        return None
    since = moment - _EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def _integer(raw: object) -> int | None:
    if type(raw) is int and -_INT64 <= raw < _INT64:
        return raw
    if isinstance(raw, float):
        raw = int(raw) if raw.is_integer() and abs(raw) < _EXACT_IN_FLOAT else None
    elif isinstance(raw, str):
        raw = int(raw) if _DIGITS.fullmatch(raw) else None
    if isinstance(raw, int) and not isinstance(raw, bool) and -_INT64 <= raw < _INT64:
        return raw
    return None


def _text(raw: object) -> str | None:
    if isinstance(raw, str):
        return raw if raw.isprintable() else _UNSTORABLE.sub("\ufffd", raw)
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return str(raw)
    return None


def _boolean(raw: object) -> bool | None:
    if isinstance(raw, bool):
        return raw
    if raw in (0, "0", "false", "False"):
        return False
    if raw in (1, "1", "true", "True"):
        return True
    return None


def _moment(raw: object) -> datetime | None:
    # Stricter than pendulum.parse on purpose: that one reads "12:30" as today and a date as UTC midnight.
    try:
        moment = datetime.fromisoformat(raw)  # type: ignore[arg-type]
        if not 1 < moment.year < 9999:
            moment.astimezone(UTC)  # must be possible too
    except (ValueError, OverflowError, TypeError):
        return None
    return None if moment.tzinfo is None else moment


def timestamp(raw: Any) -> str | None:
    """A timestamp of the API as it is stored, in UTC; None where it is malformed."""
    moment = _moment(raw)
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def _visible(found: re.Match[str]) -> str:
    if found[0] == "\\u0000":
        return r"\\u0000"
    return found[0] if found[0].startswith("\\") else rf"\\u{ord(found[0]):04x}"


_CONVERTERS: dict[Kind, Callable[[Any], int | str | bool | None]] = {
    Kind.INTEGER: _integer,
    Kind.TEXT: _text,
    Kind.TIMESTAMP: timestamp,
    Kind.BOOLEAN: _boolean,
    Kind.JSON: canonical_json,
}
_COLUMNS = [(name, _CONVERTERS[kind]) for name, kind in LEAD_FIELDS]
_TEXTS = frozenset(name for name, kind in LEAD_FIELDS if kind is Kind.TEXT)
