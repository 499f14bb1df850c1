"""The resources of a source: leads, rejects and loads, with a type for each column."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.dlt.rows import lead_rows, load_row, reject_rows
from airflow_provider_sela.dlt.shared_read import SharedRead, keep_anchor
from airflow_provider_sela.metrics import READ_COUNTS
from airflow_provider_sela.storage.files import COLUMNS
from airflow_provider_sela.warehouse.tables import HASH, LOADS_TABLE, READ_COLUMNS, REJECTS_TABLE

if TYPE_CHECKING:
    from dlt.extract import DltResource

LEADS_TABLE = "leads"
TABLES = (LEADS_TABLE, REJECTS_TABLE, LOADS_TABLE)
LOADS = (*READ_COLUMNS, *(Field(name, Kind.INTEGER) for name in READ_COUNTS))
REJECTS = (Field(HASH, Kind.TEXT), Field("rejected_at", Kind.TIMESTAMP), Field("raw", Kind.TEXT))

_TYPES = {
    Kind.INTEGER: "bigint",
    Kind.TEXT: "text",
    Kind.TIMESTAMP: "timestamp",
    Kind.BOOLEAN: "bool",
    Kind.JSON: "json",
}
# Rows that dlt gets at a time: enough for its own buffers, little in memory.
_BATCH = 1000


def resources_of(shared: SharedRead) -> list[DltResource]:
    """The resources, each of which asks the shared read for its rows."""
    import dlt

    # Generator functions, because dlt makes nothing else parallel.
    def leads() -> Iterator[Any]:
        with shared.snapshot(LEADS_TABLE) as read:
            yield from _batches(lead_rows(read.snapshot.spool))
            if not len(read.snapshot):
                # Creates the table, from dlt 1.31 on.
                yield dlt.mark.materialize_table_schema()
            keep_anchor(read)

    def rejects() -> Iterator[Any]:
        with shared.snapshot(REJECTS_TABLE) as read:
            yield from _batches(reject_rows(read.snapshot.spool, read.snapshot.stats.started))

    def loads() -> Iterator[Any]:
        with shared.snapshot(LOADS_TABLE) as read:
            yield load_row(read.snapshot)

    def resource(rows: Any, table: str, fields: Collection[Field], key: str, disposition: str) -> DltResource:
        return dlt.resource(
            rows,
            name=table,
            primary_key=key or None,
            write_disposition=disposition,
            columns=_columns(fields, key),
            max_table_nesting=0,
        )

    return [
        resource(leads, LEADS_TABLE, COLUMNS, "id", "merge"),
        resource(rejects, REJECTS_TABLE, REJECTS, HASH, "merge"),
        resource(loads, LOADS_TABLE, LOADS, "", "append"),
    ]


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


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
