"""Leads as a dlt resource, for the destinations that this package does not write itself.

Needs the extra ``airflow-provider-sela[dlt]``; dlt is imported when a resource is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_sela.api.leads import Field, Kind, content_hash
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.metrics import READ_COUNTS
from airflow_provider_sela.privacy import Privacy
from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
from airflow_provider_sela.storage.files import COLUMNS, row_line
from airflow_provider_sela.warehouse.tables import HASH, LOADS_TABLE, REJECTS_TABLE

if TYPE_CHECKING:
    from dlt.extract import DltResource

LOADS = (
    Field("verdict", Kind.TEXT),
    Field("reason", Kind.TEXT),
    Field("started", Kind.TIMESTAMP),
    Field("finished", Kind.TIMESTAMP),
    Field("watermark", Kind.TIMESTAMP),
    *(Field(name, Kind.INTEGER) for name in READ_COUNTS),
)
REJECTS = (Field(HASH, Kind.TEXT), Field("rejected_at", Kind.TIMESTAMP), Field("raw", Kind.TEXT))

_TYPES = {
    Kind.INTEGER: "bigint",
    Kind.TEXT: "text",
    Kind.TIMESTAMP: "timestamp",
    Kind.BOOLEAN: "bool",
    Kind.JSON: "json",
}
_BATCH = 1000
# dlt marks typed values inside its files by a first character of this private range, and takes a text that
# begins with one for such a value.
_MARK = re.compile("^[\uf026-\uf02f]")
_MARK_IN_JSON = re.compile('(?<=")[\uf026-\uf02f]')
# dlt's JSON writer refuses integers beyond 64 bits and values nested more than some 250 levels deep.
_UNWRITABLE = re.compile("[0-9]{19}")
_DEEPEST = 200


def sela_leads(
    sela_conn_id: str = SelaHook.default_conn_name,
    *,
    email: str | None = None,
    external_id: str | None = None,
    phone_number: str | None = None,
    user: int | str | None = None,
    page_size: int | None = None,
    on_unverified: str = "fail",
    exclude_fields: Collection[str] = (),
    hash_fields: Collection[str] = (),
    salt_conn_id: str | None = None,
    keep_metadata: Collection[str] | None = None,
    drop_metadata: Collection[str] = (),
) -> DltResource:
    """A dlt resource ``leads``: every lead once, from a verified read, merged by ``id``.

    All columns have a type from the start: bigint, text, timestamp with a time zone, bool, and json for
    ``metadata`` and ``extra``, which holds undocumented fields and the raw form of malformed values. The read
    is finished and verified before dlt gets the first lead, and leads are streamed from disk.

    Two more tables come with it: ``_sela_loads``, a row for each load with verdict and counts, and
    ``_sela_rejects``, results that had no usable id. ``apply_hints`` and ``with_name`` of the resource change
    how and under which name leads are written.

    :param sela_conn_id: Airflow connection of type ``sela``.
    :param on_unverified: where completeness could not be established, ``fail`` (default) raises before
        anything is loaded and ``warn`` logs.
    :raises SelaSetupError: dlt is not installed.

    Filters and ``page_size`` as of :meth:`SelaHook.snapshot
    <airflow_provider_sela.hooks.sela.SelaHook.snapshot>`, privacy options as of
    :class:`~airflow_provider_sela.operators.base.SelaBaseOperator`.
    """
    try:
        import dlt
    except ImportError:
        raise SelaSetupError("dlt is not installed: pip install 'airflow-provider-sela[dlt]'") from None

    def leads() -> Iterator[Any]:
        salt = BaseHook.get_connection(salt_conn_id).password if salt_conn_id else None
        privacy = Privacy(
            exclude=exclude_fields,
            hashed=hash_fields,
            salt=salt or "",
            keep_metadata=keep_metadata,
            drop_metadata=drop_metadata,
        )
        hook = SelaHook(sela_conn_id)
        try:
            with hook.snapshot(
                email=email,
                external_id=external_id,
                phone_number=phone_number,
                user=user,
                page_size=page_size,
                on_unverified=on_unverified,
                encode=row_line,
                redact=privacy or None,
            ) as snapshot:
                yield from _tables(snapshot)
        finally:
            hook.close()

    return dlt.resource(
        leads,
        name="leads",
        primary_key="id",
        write_disposition="merge",
        columns=_columns(COLUMNS, key="id"),
        max_table_nesting=0,
    )


def _tables(snapshot: LeadSnapshot) -> Iterator[Any]:
    import dlt

    rows = _rows(snapshot)
    # Creates the table where there is no lead, from dlt 1.31 on.
    yield dlt.mark.materialize_table_schema()
    while batch := list(islice(rows, _BATCH)):
        yield batch
    yield from _add_table(REJECTS_TABLE, REJECTS, "merge", _rejects(snapshot), key=HASH)
    yield from _add_table(LOADS_TABLE, LOADS, "append", iter([_load(snapshot)]))


def _rows(snapshot: LeadSnapshot) -> Iterator[dict[str, Any]]:
    for line in snapshot.spool.lines():
        yield {
            name: _json_value(value) if kind is Kind.JSON else _text(value) if kind is Kind.TEXT else value
            for (name, kind), value in zip(COLUMNS, json.loads(line), strict=True)
        }


def _rejects(snapshot: LeadSnapshot) -> Iterator[dict[str, Any]]:
    for line in snapshot.spool.reject_lines():
        raw = line.decode()
        yield {HASH: content_hash({"raw": raw}), "rejected_at": snapshot.stats.started, "raw": raw}


def _load(snapshot: LeadSnapshot) -> dict[str, Any]:
    stats = snapshot.stats
    return {
        "verdict": stats.verdict,
        "reason": snapshot.verdict.reason or None,
        "started": stats.started,
        "finished": datetime.now(UTC),
        "watermark": snapshot.spool.newest,
        **stats.counts(),
    }


def _add_table(
    table: str, fields: Collection[Field], disposition: str, rows: Iterator[dict[str, Any]], key: str = ""
) -> Iterator[Any]:
    import dlt

    def item(batch: list[dict[str, Any]], **hints: Any) -> Any:
        made = dlt.mark.make_hints(table_name=table, **hints)
        return dlt.mark.with_hints(batch, made, create_table_variant=True)

    # A second table begins with the columns of the first: they are taken away before its own are given.
    yield item([], columns={}, primary_key="")
    while batch := list(islice(rows, _BATCH)):
        yield item(batch, columns=_columns(fields, key), primary_key=key, write_disposition=disposition)


def _columns(fields: Collection[Field], key: str) -> dict[str, Any]:
    return {
        name: {
            "name": name,
            "data_type": _TYPES[kind],
            "nullable": name != key,
            **({"timezone": True, "precision": 6} if kind is Kind.TIMESTAMP else {}),
        }
        for name, kind in fields
    }


def _text(value: Any) -> Any:
    return _MARK.sub(_visible, value) if isinstance(value, str) else value


def _json_value(text: str | None) -> Any:
    """JSON as dlt takes it: objects and lists as they are, anything else as the text of its JSON."""
    if text is None:
        return None
    text = _MARK_IN_JSON.sub(lambda found: "\\\\" + _visible(found)[1:], text)
    writable = not _UNWRITABLE.search(text) and text.count("[") + text.count("{") < _DEEPEST
    # dlt reads the text of a json column once and writes what it finds.
    return json.loads(text) if text[0] in "[{" and writable else json.dumps(text)


def _visible(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
