"""Leads to XCom or to a file."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_sela.api.moments import moment
from airflow_provider_sela.api.parameters import (
    OnUnverified,
    Reader,
    check_settled,
    mapped,
    optional,
    settled,
    text,
    whole_number,
)
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.hooks.sela import SelaHook, continuation_since
from airflow_provider_sela.operators.base import SelaReadOperator
from airflow_provider_sela.operators.field_changes import OnSchemaChange
from airflow_provider_sela.storage.paths import file_path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_sela.api.leads import Lead


class SelaLeadsOperator(SelaReadOperator):
    """Read leads, and return them as XCom or write them to a file.

    Without ``path``, the XCom is the list of leads by ascending id, each a dictionary as the API sent it.
    The reading stops as soon as there are more than ``max_xcom_leads`` leads or 4 MiB of JSON. Airflow keeps
    an XCom in its metadata database, shows it in the UI and logs it at DEBUG: where personal data must not
    be, give a ``path``.

    With ``path``, the leads go to a file of any number of leads; memory does not grow with them, but for an
    index of about 300 bytes each. The suffix chooses the format:

    - ``.jsonl``, ``.jsonl.gz``: a lead a line, as the API sent it, keys sorted.
    - ``.csv``, ``.csv.gz``: RFC 4180, UTF-8, with a header. Every text is in quotes; NULL is nothing, an
      empty text is ``""``. Values are not altered: one that begins with ``=``, ``+``, ``-`` or ``@`` is a
      formula to a spreadsheet, so import such a file as text.
    - ``.parquet``: int64, string, timestamp[us, UTC], boolean; ``metadata`` and ``extra`` are JSON text.
      Needs the extra ``airflow-provider-sela[parquet]``.

    In all of them and in XCom, NUL and unpaired surrogates inside JSON, which are legal there and which no
    database takes, are written out as ``\\uXXXX``.

    CSV and Parquet have a column for each documented field, and ``extra`` for what is not documented and for
    the raw form of malformed values, which are NULL. The file replaces the one of an earlier run in one step;
    ``<path>.manifest.json`` follows it, with counts, verdict, columns, size and SHA-256. Results without a
    usable id are in ``<path>.rejects.jsonl``. The storage connection needs the right to create, copy and
    delete files in that folder.

    The XCom with ``path`` is a dictionary: ``path``, ``verdict``, ``scope`` (``full``, or ``changed`` with
    ``since``), ``since``, ``why_full`` (why everything was read although less was asked for), ``read``,
    ``nulled``, ``rejected``, ``requests``, ``retries``, ``repaired``, ``passes``, ``seconds``, and ``new``,
    ``changed``, ``unchanged``, ``deleted`` and ``ahead``, which are None because a file is replaced and not
    compared. With columns it has ``missing_fields`` (documented ones that no lead has any more) and
    ``unknown_fields`` too.

    :param path: an ``ObjectStoragePath``, its URL or a local path (templated); default None: XCom.
    :param conn_id: Airflow connection of the storage (templated); default: the one in ``path``, if any.
    :param since: a moment with a time zone, such as ``{{ data_interval_start }}`` (templated): only leads
        that were created or changed since. Where the list shows that they stand at one end of it, nothing
        else is read; else everything is, and they are picked out: ``why_full`` says why. Default: all leads.
    :param max_xcom_leads: most leads that are returned as XCom (templated); default 1000, about 1 MB.
    :raises SelaLimitError: more leads than an XCom may carry.
    :raises SelaTargetError: the file cannot be written.

    Filters, privacy options and the other parameters: see
    :class:`~airflow_provider_sela.operators.base.SelaReadOperator` and its base.
    """

    readers: Mapping[str, Reader] = {
        **SelaReadOperator.readers,
        "path": optional(file_path),
        "conn_id": optional(text),
        "max_xcom_leads": whole_number,
        "since": optional(moment),
    }
    template_fields: Sequence[str] = tuple(readers)

    def __init__(
        self,
        *,
        path: ObjectStoragePath | str | None = None,
        conn_id: str | None = None,
        max_xcom_leads: int | str = 1000,
        since: datetime | str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        page_size: int | str | None = None,
        parts: Any = None,
        on_unverified: OnUnverified | str = "fail",
        on_schema_change: OnSchemaChange | str = "warn",
        exclude_fields: Collection[str] = (),
        hash_fields: Collection[str] = (),
        salt_conn_id: str | None = None,
        keep_metadata: Collection[str] | None = None,
        drop_metadata: Collection[str] = (),
        sela_conn_id: str = SelaHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            email=email, external_id=external_id, phone_number=phone_number, user=user, page_size=page_size,
            parts=parts, on_unverified=on_unverified, on_schema_change=on_schema_change,
            exclude_fields=exclude_fields, hash_fields=hash_fields,
            salt_conn_id=salt_conn_id, keep_metadata=keep_metadata, drop_metadata=drop_metadata,
            sela_conn_id=sela_conn_id, **kwargs,
        )  # fmt: skip
        self.path = path
        self.conn_id = conn_id
        self.max_xcom_leads: Any = max_xcom_leads
        self.since: Any = since
        check_settled(self, "path", "conn_id", "max_xcom_leads", "since")
        if settled(since) and not mapped(self):
            self._check_since()

    def load(self, context: Context) -> list[Lead] | dict[str, Any]:
        """Return the leads, or the result of writing them."""
        return self._to_xcom() if self.path is None else self._to_file(self.path, context)

    def check_together(self) -> None:
        """See the base."""
        super().check_together()
        self._check_since()

    def _check_since(self) -> None:
        if self.since is not None and self.parts is not None:
            raise SelaRequestError("parts are of everything: they do not go with since")

    def _to_xcom(self) -> list[Lead]:
        from airflow_provider_sela.operators.lead_results import XComBound
        from airflow_provider_sela.storage.spool import lead_line

        bound = XComBound(self.max_xcom_leads)
        with self.snapshot(lead_line, bound, continuation_since(self.since)) as snapshot:
            self.judge_rows(snapshot)
            leads = [json.loads(line) for line in snapshot.spool.lines_by_id()]
        self.log.info(
            "Sela: returning %d leads as XCom, %d bytes, verdict %s", len(leads), bound.size, snapshot.verdict
        )
        return leads

    def _to_file(self, path: ObjectStoragePath | str, context: Context) -> dict[str, Any]:
        from airflow_provider_sela.lineage import file_target
        from airflow_provider_sela.operators.lead_results import file_result, known_of
        from airflow_provider_sela.operators.task_runs import attempt_of
        from airflow_provider_sela.storage.files import LeadFile

        started = time.monotonic()
        run, attempt = attempt_of(context)
        with (
            LeadFile(path, conn_id=self.conn_id, run=run, attempt=attempt) as file,
            self.snapshot(file.encoder, continuation=continuation_since(self.since)) as snapshot,
        ):
            self._target = file_target(file.url, file.columns)

            def manifest() -> dict[str, Any]:
                self.judge_rows(snapshot)
                return {
                    **known_of(file, snapshot),
                    **snapshot.stats.portion(),
                    "run_id": context.get("run_id"),
                }

            file.publish(snapshot.spool, manifest)
            self._target = self._target._replace(rows=len(snapshot))
            result, known = file_result(file, snapshot), known_of(file, snapshot)
        seconds = {"seconds": round(time.monotonic() - started, 3)}
        self.log.info("Sela: %s", " ".join(f"{name}={value}" for name, value in (known | seconds).items()))
        return result | seconds
