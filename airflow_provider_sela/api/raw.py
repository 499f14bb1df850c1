"""Leads kept as bytes and decoded on demand.

A verified read passes every lead from the answer to the disk. What the proof needs is its id and two times;
what a table needs is its row. Neither takes the dictionary that a lead is to everybody else, which costs more
to build than all of them together.

What msgspec refuses in a page is read as :func:`~airflow_provider_sela.api.pages.decode_page` does, to the
same leads.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from airflow_provider_sela.api.columns import Columns, time_column
from airflow_provider_sela.api.content import Content, content_of
from airflow_provider_sela.api.documented import OTHERWISE, Integer, documented_content, documented_values
from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Lead, Row, lead_row, microseconds
from airflow_provider_sela.api.pages import Page, decode_page, page_after, read_json
from airflow_provider_sela.exceptions import SelaResponseError

_COLUMNS = [field.name for field in (*LEAD_FIELDS, EXTRA)]
# Faster than ``in``, for bytes that are mostly not there.
_NUMBERED = re.compile(rb"\\u").search
_OFFSET = re.compile("([+-])([01][0-9]|2[0-3]):([0-5][0-9])|Z")


class _Envelope(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=0)]
    results: list[msgspec.Raw]
    next: str | None = None


class _Keys(msgspec.Struct, gc=False):
    id: Integer
    created_time: Any = None
    modified_time: Any = None


class _KeysOfPage(msgspec.Struct):
    results: list[_Keys]


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_KEYS = msgspec.json.Decoder(_KeysOfPage)
# Naive, as is what it is subtracted from.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
# Moments that are none in UTC lie outside.
_ORDINARY = range(*(microseconds(f"{year}-01-01T00:00:00Z") or 0 for year in (2, 9999)))


class RawLead(NamedTuple):
    """A lead, with the three values of it that a read goes by.

    :param id: Sela's own key.
    :param created: its ``created_time``, microseconds since the epoch; None if missing or malformed.
    :param modified: its ``modified_time``, likewise.
    :param json: the whole lead, in one line.
    """

    id: int
    created: int | None
    modified: int | None
    json: bytes

    def __repr__(self) -> str:
        # Logs and errors may show it, and all but the id is personal.
        return f"RawLead(id={self.id})"

    @classmethod
    def from_lead(cls, lead: Lead) -> RawLead:
        """A lead that has been read already."""
        created, modified = microseconds(lead.get("created_time")), microseconds(lead.get("modified_time"))
        return cls(lead["id"], created, modified, _written(lead))

    @property
    def escapes(self) -> bool:
        """Whether some character is written as its number, as those that no database stores have to be."""
        return _NUMBERED(self.json) is not None

    def decode(self) -> Lead:
        """The lead as a dictionary.

        :raises SelaResponseError: nested too deeply to be read where this is called.
        """
        try:
            lead: Lead = read_json(self.json)
        except RecursionError:
            raise SelaResponseError("a lead is nested too deeply to be read") from None
        return lead

    def redacted(self, redact: Callable[[Any], Any]) -> RawLead:
        """What a rule leaves of the lead; the values that a read goes by stay."""
        return self._replace(json=_written(redact(self.decode())))

    def row(self) -> Row:
        """The row that :func:`~airflow_provider_sela.api.leads.lead_row` makes of the lead."""
        values, nulled, unknown = self.row_values()
        return Row(dict(zip(_COLUMNS, values, strict=True)), nulled, unknown)

    def row_values(self) -> tuple[list[Any], tuple[str, ...], tuple[str, ...]]:
        """The same without the names of the values, which take longer than the rest."""
        documented = documented_values(self.json)
        if documented is not None:
            return *documented, ()
        row = lead_row(self.decode())
        return [*row.values.values()], row.nulled, row.unknown

    def row_content(self) -> tuple[Content, tuple[str, ...], tuple[str, ...]]:
        """The content of the same row instead of its values, for less."""
        documented = documented_content(self.json)
        if documented is not None:
            return *documented, ()
        row = lead_row(self.decode())
        return content_of(row.values.values()), row.nulled, row.unknown


class RawLeads(Columns[RawLead]):
    """Leads of an answer, one after the other in their own bytes.

    :param json: whole leads, each in one line.
    """

    def __init__(
        self, ids: list[int], created: array[int], modified: array[int], json: Sequence[bytes]
    ) -> None:
        super().__init__(ids, created, modified)
        self.json = json

    @classmethod
    def from_leads(cls, leads: Iterable[RawLead]) -> RawLeads:
        """Leads that were read one by one."""
        every = list(leads)
        created = time_column(lead.created for lead in every)
        modified = time_column(lead.modified for lead in every)
        return cls([lead.id for lead in every], created, modified, [lead.json for lead in every])

    def _made(self, place: int) -> RawLead:
        return RawLead(self.ids[place], *self._times(place), self.json[place])


def raw_page(body: bytes, page: int) -> Page[RawLead]:
    """Read one answer of the list endpoint as :func:`~airflow_provider_sela.api.pages.decode_page` does."""
    return _documented_page(body, page) or _unread(decode_page(body, page))


def _documented_page(body: bytes, page: int) -> Page[RawLead] | None:
    """None if some result is no lead with an integer as its ``id``, or if msgspec refuses the page."""
    try:
        envelope, keys = _ENVELOPE.decode(body), _KEYS.decode(body).results
        json = list(map(bytes, envelope.results))
        if b"\n" in body:
            # In JSON a line feed stands between tokens only.
            json = [lead.replace(b"\n", b" ") for lead in json]
        for lead in json:
            # In what it passes over, msgspec checks everything but this.
            if not lead.isascii():
                lead.decode()
    except OTHERWISE:
        return None
    created = _times([each.created_time for each in keys])
    modified = _times([each.modified_time for each in keys])
    leads = RawLeads([each.id for each in keys], created, modified, json)
    return Page(envelope.count, page_after(envelope.next, page), leads)


class _Offsets(dict[str, int]):
    """Microseconds by which a clock is ahead of UTC, by how that is written.

    :raises LookupError: for other text.
    """

    def __missing__(self, text: str) -> int:
        found = _OFFSET.fullmatch(text)
        if not found:
            raise LookupError
        minutes = int(found[2]) * 60 + int(found[3]) if found[1] else 0
        self[text] = offset = minutes * (-60_000_000 if found[1] == "-" else 60_000_000)
        return offset


_OFFSETS = _Offsets()


def _times(values: list[Any]) -> array[int]:
    """:func:`~airflow_provider_sela.api.leads.microseconds` of each; all at once where all are written as the
    API does, with six decimals: to subtract moments that have an offset takes twice as long."""
    moment, ahead = datetime.fromisoformat, _OFFSETS
    try:
        since = [moment(text[:26]) - _EPOCH for text in values]
        offsets = [ahead[text[26:]] for text in values]
    except (TypeError, ValueError, LookupError):
        return time_column(map(microseconds, values))
    times = [
        each.days * 86_400_000_000 + each.seconds * 1_000_000 + each.microseconds - offset
        for each, offset in zip(since, offsets, strict=True)
    ]
    if times and not (min(times) in _ORDINARY and max(times) in _ORDINARY):
        return time_column(map(microseconds, values))
    return array("q", times)


def _unread(page: Page[Lead]) -> Page[RawLead]:
    leads = RawLeads.from_leads(map(RawLead.from_lead, page.leads))
    return Page(page.count, page.next_page, leads, page.rejects)


def _written(lead: Lead) -> bytes:
    with suppress(UnicodeEncodeError, RecursionError):
        return msgspec.json.encode(lead)
    try:
        return json.dumps(lead).encode()
    except RecursionError:
        raise SelaResponseError("a lead is nested too deeply to be written as JSON") from None
