"""Leads as a dlt source, for the destinations that this package does not write itself.

Needs the extra ``airflow-provider-sela[dlt]``; dlt is imported when a source is made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import timedelta
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from airflow_provider_sela.api.leads import Field, Kind
from airflow_provider_sela.api.moments import duration
from airflow_provider_sela.api.parameters import (
    OnUnverified,
    choice,
    optional,
    text,
    unverified_choice,
    whole_number,
)
from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.hooks.privacy_options import check_privacy, privacy_of
from airflow_provider_sela.hooks.sela import SelaHook, open_snapshot
from airflow_provider_sela.metrics import READ_COUNTS
from airflow_provider_sela.operators.read_options import FULL_EVERY, LOOKBACK, ReadName
from airflow_provider_sela.storage.dlt_rows import lead_rows, reject_rows
from airflow_provider_sela.storage.files import COLUMNS, row_line
from airflow_provider_sela.warehouse.anchors import NO_LOAD, OTHER, anchor_text, read_anchor
from airflow_provider_sela.warehouse.tables import HASH, LOADS_TABLE, REJECTS_TABLE

if TYPE_CHECKING:
    from dlt.extract import DltResource, DltSource

    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot

LEADS_TABLE = "leads"
_STATE = "anchor"
_TABLES = {LEADS_TABLE, REJECTS_TABLE, LOADS_TABLE}
LOADS = (
    Field("verdict", Kind.TEXT),
    Field("reason", Kind.TEXT),
    Field("scope", Kind.TEXT),
    Field("since", Kind.TIMESTAMP),
    Field("why_full", Kind.TEXT),
    Field("missing_fields", Kind.TEXT),
    Field("unknown_fields", Kind.TEXT),
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
# Rows that dlt gets at a time: enough for its own buffers, little in memory.
_BATCH = 1000


def sela_leads(
    sela_conn_id: str = SelaHook.default_conn_name,
    *,
    email: str | None = None,
    external_id: str | None = None,
    phone_number: str | None = None,
    user: int | str | None = None,
    page_size: int | str | None = None,
    on_unverified: OnUnverified | str = "fail",
    read: ReadName | str = "full",
    lookback: timedelta | str = LOOKBACK,
    full_every: timedelta | str | None = FULL_EVERY,
    exclude_fields: Collection[str] = (),
    hash_fields: Collection[str] = (),
    salt_conn_id: str | None = None,
    keep_metadata: Collection[str] | None = None,
    drop_metadata: Collection[str] = (),
) -> DltSource:
    """A dlt source: ``leads``, every lead once, from a verified read, merged by ``id``, and two books of it.

    All columns have a type from the start: bigint, text, timestamp with a time zone, bool, and json for
    ``metadata`` and ``extra``, which holds undocumented fields and the raw form of malformed values. The read
    is finished and verified before dlt gets the first lead, and leads are streamed from disk.

    The books are resources of their own: ``_sela_loads``, a row for each load with verdict and counts, and
    ``_sela_rejects``, results that had no usable id. So what dlt does to a resource, such as
    ``sela_leads().leads.add_map(…)``, meets leads only.

    :param sela_conn_id: Airflow connection of type ``sela``.
    :param on_unverified: where completeness could not be established, ``fail`` (default) raises before
        anything is loaded and ``warn`` logs.
    :param read: ``full``, ``changed`` or ``new``, as of :class:`SelaLeadsToSqlOperator
        <airflow_provider_sela.transfers.leads_to_sql.SelaLeadsToSqlOperator>`; what the last load left is
        kept in dlt's own state, and moves when all leads were taken.
    :param lookback: as there.
    :param full_every: as there.
    :raises SelaSetupError: dlt is not installed.
    :raises SelaRequestError: an argument is wrong; the message names it.

    Filters and ``page_size`` as of :meth:`SelaHook.snapshot
    <airflow_provider_sela.hooks.sela.SelaHook.snapshot>`, privacy options as of
    :class:`~airflow_provider_sela.operators.base.SelaBaseOperator`.
    """
    try:
        import dlt
    except ImportError:
        raise SelaSetupError("dlt is not installed: pip install 'airflow-provider-sela[dlt]'") from None

    filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
    unverified_choice("on_unverified", on_unverified)
    optional(whole_number)("page_size", page_size)
    text("sela_conn_id", sela_conn_id)
    privacy_options: dict[str, Any] = {
        "exclude_fields": exclude_fields,
        "hash_fields": hash_fields,
        "salt_conn_id": salt_conn_id,
        "keep_metadata": keep_metadata,
        "drop_metadata": drop_metadata,
    }
    check_privacy(**privacy_options)

    read_options = {
        "read": choice(*get_args(ReadName))("read", read),
        "lookback": duration("lookback", lookback),
        "full_every": optional(duration)("full_every", full_every),
    }
    given = {"page_size": page_size, "on_unverified": on_unverified}
    shared = _SharedRead(lambda: _read(sela_conn_id, filters, privacy_options, read_options, **given))

    @dlt.source(name="sela")  # type: ignore[untyped-decorator]
    def sela() -> list[DltResource]:
        return _resources(shared)

    return sela()


@contextmanager
def _read(
    conn_id: str,
    filters: Mapping[str, str],
    privacy_options: Mapping[str, Any],
    read_options: Mapping[str, Any],
    **given: Any,
) -> Iterator[_Read]:
    """The verified read; the salt of the privacy options is asked for when it begins."""
    from airflow_provider_sela.reading.continuation import continuation_from
    from airflow_provider_sela.reading.parts import asked_key

    with closing(SelaHook(conn_id)) as hook:
        given["privacy"] = privacy = privacy_of(**privacy_options)
        asked = asked_key(hook.settings, filters, privacy)
        given["continuation"] = continuation_from(**read_options, **_last_anchor(asked))
        with open_snapshot(hook, filters, encoder=row_line, **given) as snapshot:
            yield _Read(snapshot, asked)


class _Read(NamedTuple):
    """A verified read, with what stands for its account, filters and privacy options."""

    snapshot: LeadSnapshot
    asked: str


def _last_anchor(asked: str) -> dict[str, Any]:
    """What the last load has left in dlt's state, or why that is nothing."""
    import dlt

    anchor, theirs = read_anchor(dlt.current.source_state().get(_STATE) or "")
    if anchor is None:
        return {"anchor": None, "refusal": NO_LOAD}
    if theirs != asked:
        return {"anchor": None, "refusal": OTHER}
    return {"anchor": anchor, "refusal": ""}


def _keep_anchor(read: _Read) -> None:
    import dlt

    anchor = read.snapshot.anchor
    dlt.current.source_state()[_STATE] = anchor and anchor_text(anchor, read.asked)


class _SharedRead:
    """One verified read for the resources of one extraction, which ask for it one after the other.

    :param read: reads, and frees the disk when its block ends.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[_Read]]) -> None:
        self._read = read
        self._lock = Lock()
        self._open = ExitStack()
        self._snapshot: _Read | None = None
        self._asked: set[str] = set()
        self._served: set[str] = set()

    @contextmanager
    def snapshot(self, table: str) -> Iterator[_Read]:
        """The read, as long as the block lasts; a table that asks again begins another one."""
        with self._lock:
            if self._snapshot is None or table in self._asked:
                self._close()
                self._snapshot = self._open.enter_context(self._read())
            self._asked.add(table)
            snapshot = self._snapshot
        try:
            yield snapshot
        finally:
            with self._lock:
                self._served.add(table)
                if self._snapshot is snapshot and self._served == _TABLES:
                    self._close()

    def _close(self) -> None:
        self._snapshot = None
        self._asked.clear()
        self._served.clear()
        self._open.close()


def _resources(shared: _SharedRead) -> list[DltResource]:
    import dlt

    # Generator functions, because dlt makes nothing else parallel.
    def leads() -> Iterator[Any]:
        with shared.snapshot(LEADS_TABLE) as read:
            yield from _batches(lead_rows(read.snapshot.spool))
            if not len(read.snapshot):
                # Creates the table, from dlt 1.31 on.
                yield dlt.mark.materialize_table_schema()
            _keep_anchor(read)

    def rejects() -> Iterator[Any]:
        with shared.snapshot(REJECTS_TABLE) as read:
            yield from _batches(reject_rows(read.snapshot.spool, read.snapshot.stats.started))

    def loads() -> Iterator[Any]:
        with shared.snapshot(LOADS_TABLE) as read:
            yield _load(read.snapshot)

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


def _load(snapshot: LeadSnapshot) -> dict[str, Any]:
    snapshot.spool.make_all()
    snapshot.log_nulled()
    stats = snapshot.stats
    return {
        "verdict": stats.verdict,
        "reason": snapshot.verdict.reason or None,
        "scope": stats.scope,
        "since": stats.since,
        "why_full": stats.why_full or None,
        **{name: ", ".join(found) or None for name, found in stats.fields().items()},
        "started": stats.started,
        "finished": stats.now(),
        "watermark": snapshot.spool.newest,
        **stats.counts(),
    }


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
