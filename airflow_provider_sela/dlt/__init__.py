"""Leads as a dlt source, for the destinations that this package does not write itself.

Needs the extra ``airflow-provider-sela[dlt]``; dlt is imported when a source is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

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
from airflow_provider_sela.dlt.resources import TABLES, resources_of
from airflow_provider_sela.dlt.shared_read import Read, SharedRead, last_anchor
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.hooks.privacy_options import check_privacy, privacy_of
from airflow_provider_sela.hooks.sela import SelaHook, open_snapshot
from airflow_provider_sela.operators.read_options import FULL_EVERY, LOOKBACK, ReadName
from airflow_provider_sela.storage.files import row_line

if TYPE_CHECKING:
    from dlt.extract import DltResource, DltSource


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
    shared = SharedRead(lambda: _read(sela_conn_id, filters, privacy_options, read_options, **given), TABLES)

    @dlt.source(name="sela")  # type: ignore[untyped-decorator]
    def sela() -> list[DltResource]:
        return resources_of(shared)

    return sela()


@contextmanager
def _read(
    conn_id: str,
    filters: Mapping[str, str],
    privacy_options: Mapping[str, Any],
    read_options: Mapping[str, Any],
    **given: Any,
) -> Iterator[Read]:
    """The verified read; the salt of the privacy options is asked for when it begins."""
    from airflow_provider_sela.reading.continuation import continuation_from
    from airflow_provider_sela.reading.parts import asked_key

    with closing(SelaHook(conn_id)) as hook:
        given["privacy"] = privacy = privacy_of(**privacy_options)
        asked = asked_key(hook.settings, filters, privacy)
        given["continuation"] = continuation_from(**read_options, **last_anchor(asked))
        with open_snapshot(hook, filters, encoder=row_line, **given) as snapshot:
            yield Read(snapshot, asked)
