"""Leads, rejects and loads as rows that dlt takes; it reads some texts as something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.leads import Kind
from airflow_provider_sela.storage.files import COLUMNS
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.tables import read_values

if TYPE_CHECKING:
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot

# dlt marks typed values inside its files by a first character of this private range, and takes a text that
# begins with one for such a value.
_MARK = re.compile("^[\uf026-\uf02f]")
_MARK_IN_JSON = re.compile('(?<=")[\uf026-\uf02f]')
# dlt's JSON writer refuses integers beyond 64 bits and values nested more than some 250 levels deep.
_UNWRITABLE = re.compile("[0-9]{19}")
_DEEPEST_JSON = 200


def lead_rows(spool: Spool) -> Iterator[dict[str, Any]]:
    """The leads of a spool that :func:`~airflow_provider_sela.storage.files.row_line` has encoded."""
    for line in spool.lines():
        values = zip(COLUMNS, json.loads(line), strict=True)
        yield {name: _value(kind, value) for (name, kind), value in values}


def reject_rows(spool: Spool, rejected_at: datetime) -> Iterator[dict[str, Any]]:
    """The results without a usable id."""
    for content_hash, raw in spool.rejects():
        yield {"_sela_hash": content_hash, "rejected_at": rejected_at, "raw": raw}


def load_row(snapshot: LeadSnapshot) -> dict[str, Any]:
    """What is kept of a read, once its leads have become lines."""
    snapshot.spool.make_all()
    snapshot.log_nulled()
    stats = snapshot.stats
    return {**read_values(stats, snapshot.verdict.reason, snapshot.spool.newest), **stats.counts()}


def _value(kind: Kind, value: Any) -> Any:
    """A typed value as dlt takes it."""
    if value is None:
        return None
    if kind is Kind.JSON:
        return _json_value(value)
    return _MARK.sub(_visible, value) if kind is Kind.TEXT else value


def _json_value(text: str) -> Any:
    """JSON as dlt takes it: objects and lists as they are, anything else as the text of its JSON."""
    text = _MARK_IN_JSON.sub(lambda found: "\\\\" + _visible(found)[1:], text)
    writable = not _UNWRITABLE.search(text) and text.count("[") + text.count("{") < _DEEPEST_JSON
    # dlt reads the text of a json column once and writes what it finds.
    return json.loads(text) if text[0] in "[{" and writable else json.dumps(text)


def _visible(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
