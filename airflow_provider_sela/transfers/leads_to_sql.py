"""Leads into a table of the user's own database."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from airflow.providers.common.compat.sdk import Context

from airflow_provider_sela.api.moments import duration
from airflow_provider_sela.api.parameters import (
    OnUnverified,
    Reader,
    boolean,
    check_settled,
    choice,
    mapped,
    number_or_share,
    optional,
    text,
)
from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.base import SelaReadOperator
from airflow_provider_sela.operators.field_changes import OnSchemaChange
from airflow_provider_sela.operators.read_options import (
    FULL_EVERY,
    LOOKBACK,
    ReadName,
    check_read,
    continuation_of,
)
from airflow_provider_sela.transfers.table_options import (
    Deletes,
    ModeName,
    absence_option,
    check_accounts,
    check_deletes,
    target_table,
)

if TYPE_CHECKING:
    from airflow_provider_sela.api.leads import Lead
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
    from airflow_provider_sela.warehouse.engine import Engine
    from airflow_provider_sela.warehouse.tables import Load, Mode, Source


class SelaLeadsToSqlOperator(SelaReadOperator):
    """Land leads in one SQL table: typed, one row for each lead, in one transaction.

    The leads are read and verified first; only then is the target written. A retry, a rerun or two loads at
    once give the same table. Beside the target, ``_sela_loads`` gets a row for each load and
    ``_sela_rejects`` keeps results that had no usable id, both in the same transaction. All parameters are
    templated.

    The XCom is one flat dict, which is logged as well: ``table``, ``verdict``, ``scope`` (``full``,
    ``changed`` or ``new``), ``since`` (from when on, None for all), ``why_full`` (why everything was read
    although less was asked for, else None), ``read``, ``new``,
    ``changed``, ``unchanged``, ``deleted``, ``ahead`` (leads whose rows are stamped later than now: no change
    reaches them), ``nulled`` (malformed values, whose raw form is in the column ``extra``), ``rejected``,
    ``requests``, ``retries``, ``repaired`` (gaps between pages that were read again), ``passes`` (over the
    whole list), ``missing_fields`` (documented ones that no lead has any more), ``unknown_fields`` (that are
    not documented) and ``seconds``.

    :param conn_id: Airflow connection of the database: DuckDB, SQLite, PostgreSQL, MySQL or MariaDB, or any
        other whose hook is a ``DbApiHook``.
    :param table: target, such as ``leads``, ``sales.leads`` or ``sales."Web leads"``.
    :param mode: ``merge`` (default: one row for each lead, only changed ones are touched), ``replace`` (the
        same, and leads that are gone are removed), ``append`` (one row for each lead and load) or
        ``history`` (one row for each version, valid from ``_sela_valid_from`` until ``_sela_valid_to``).
    :param read: ``full`` (default: all leads), ``changed`` (those that were created or changed since the last
        load) or ``new`` (those that were created since; changes to older ones come with the next full read).
        Less than all is read where the last load has proven a fitting order of the list, and counts only if
        it is proven too; else the same task reads everything, and says why.
    :param lookback: how long a change may take to show: it is read again by the next load. Default: ten
        minutes.
    :param full_every: how long a read of everything is good for; None: until one is needed. Default: one day.
    :param create_table: whether missing tables are created (default).
    :param add_columns: whether missing columns are added (default). Columns of your own are left alone.
    :param several_accounts: whether the table is meant for leads of several accounts. Default: no; leads of
        another account than before are refused. ``replace`` and ``deletes="mark"`` do not go with it, because
        one account cannot tell what is gone from another.
    :param deletes: ``ignore`` (default, because a list cannot say that something was deleted) or ``mark``:
        after a read that is proven complete, leads that are gone get ``_sela_deleted_at``, and lose it when
        they return. With filters, or in the modes ``append`` and ``replace``, only ``ignore`` makes sense.
        Nothing is marked or removed after a read that leaves a doubt: no proof, or results without a usable
        id.
    :param confirm_missing: whether leads of the table that were not read are asked for, up to 100 of them,
        where nothing is marked. One that existed before the read began, and answers, refutes the verdict: the
        load fails or warns as ``on_unverified`` says. Default: no, since each costs a request; ``mark`` does
        the same for all of them.
    :param max_deletes: the load fails, with nothing written, where more leads than this would be marked or
        removed: a number, or a share of the table (of a rerun's own rows in mode ``append``). Default: 0.1,
        since more is rather a wrong account than a clean-up.

    Filters, privacy options and the other parameters: see
    :class:`~airflow_provider_sela.operators.base.SelaReadOperator` and its base.
    """

    readers: Mapping[str, Reader] = {
        **SelaReadOperator.readers,
        "conn_id": text,
        "table": target_table,
        "mode": choice(*get_args(ModeName)),
        "read": choice(*get_args(ReadName)),
        "lookback": duration,
        "full_every": optional(duration),
        "create_table": boolean,
        "add_columns": boolean,
        "several_accounts": boolean,
        "deletes": choice(*get_args(Deletes)),
        "confirm_missing": boolean,
        "max_deletes": number_or_share,
    }
    template_fields: Sequence[str] = tuple(readers)

    def __init__(
        self,
        *,
        conn_id: str,
        table: str,
        mode: ModeName | str = "merge",
        read: ReadName | str = "full",
        lookback: timedelta | str = LOOKBACK,
        full_every: timedelta | str | None = FULL_EVERY,
        create_table: bool | str = True,
        add_columns: bool | str = True,
        several_accounts: bool | str = False,
        deletes: Deletes | str = "ignore",
        confirm_missing: bool | str = False,
        max_deletes: int | float | str = 0.1,
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
        self.conn_id, self.table, self.mode = conn_id, table, mode
        self.read = read
        self.lookback: Any = lookback
        self.full_every: Any = full_every
        self.create_table: Any = create_table
        self.add_columns: Any = add_columns
        self.several_accounts: Any = several_accounts
        self.deletes = deletes
        self.confirm_missing: Any = confirm_missing
        self.max_deletes: Any = max_deletes
        check_settled(self, *(self.readers.keys() - SelaReadOperator.readers.keys()))
        if not mapped(self):
            self._check_table_options()

    def load(self, context: Context) -> dict[str, Any]:
        """Read, land, and return the counts."""
        from airflow_provider_sela.lineage import table_target
        from airflow_provider_sela.warehouse.landing import check, land
        from airflow_provider_sela.warehouse.opening import Opening
        from airflow_provider_sela.warehouse.registry import engine_for
        from airflow_provider_sela.warehouse.tables import Mode, Source

        clock = time.monotonic()
        mode = Mode(self.mode)
        engine = engine_for(self.conn_id, self.table)
        opening = Opening(engine)
        allowed = {"create": self.create_table, "add": self.add_columns}
        source = Source(*self.hook.settings.account, self.several_accounts)
        # A target that does not fit is refused before the first request, not after the last.
        with engine:
            existing = check(engine, mode, **allowed, source=source)
            options = {"read": self.read, "lookback": self.lookback, "full_every": self.full_every}
            continuation = continuation_of(
                engine, mode, source, self._asked, existing, **options, opening=opening
            )
        with opening, self.snapshot(engine.dialect.encoder(), continuation=continuation) as snapshot:
            self._warn_of_doubt(mode, snapshot)
            deleted_ids = self._deleted_ids(engine, mode, snapshot, source)
            load = self._load(context, snapshot, source, deleted_ids)
            self._target = table_target(engine, mode.layout, self.conn_id)
            opening.open()
            counts = land(
                engine, snapshot.spool, load, mode, **allowed, judge=lambda: self.judge_rows(snapshot)
            )
        if self._target is not None:
            self._target = self._target._replace(rows=counts["new"] + counts["changed"])
        seconds = round(time.monotonic() - clock, 3)
        stats = snapshot.stats
        result = {"table": self.table, **counts, "seconds": seconds, **stats.portion(), **stats.fields()}
        known = (f"{name}={value}" for name, value in result.items() if value is not None)
        self.log.info("Sela: landed %s", " ".join(known))
        if counts["ahead"]:
            self.log.warning(
                "Sela: %d leads have rows that are stamped later than now, by a clock that was wrong: changes"
                " to them are not taken before that time. Set %s of these rows to an earlier one",
                counts["ahead"], mode.since,
            )  # fmt: skip
        return result

    def check_together(self) -> None:
        """See the base."""
        super().check_together()
        self._check_table_options()

    def _check_table_options(self) -> None:
        absence = absence_option(self.deletes, self.confirm_missing)
        check_deletes(absence, mode=self.mode, filters=self.filters.values())
        check_accounts(absence, mode=self.mode, several_accounts=self.several_accounts)
        check_read(self.read, mode=self.mode, absence=absence, full_every=self.full_every, parts=self.parts)

    @property
    def _asked(self) -> str:
        """Stands for filters and privacy options."""
        from airflow_provider_sela.reading.parts import asked_key

        return asked_key(self.hook.settings, lead_filters(**self.filters), self.privacy)

    def _warn_of_doubt(self, mode: Mode, snapshot: LeadSnapshot) -> None:
        doubt = snapshot.stats.doubt
        if snapshot.stats.scope != "full":
            return
        if doubt and mode.removes:
            self.log.warning("Sela: no row is removed, even if its lead was not read: %s", doubt)
        elif doubt and self.deletes == "mark":
            self.log.warning("Sela: no deletes are marked: %s", doubt)

    def _deleted_ids(self, engine: Engine, mode: Mode, snapshot: LeadSnapshot, source: Source) -> list[int]:
        """Ids to mark, once the verdict has stood against the leads of the table that were not read."""
        from airflow_provider_sela.warehouse.deletes import find_missing
        from airflow_provider_sela.warehouse.failures import scrubbed
        from airflow_provider_sela.warehouse.landing import recognise

        marks = self.deletes == "mark"
        if not (marks or self.confirm_missing) or snapshot.stats.doubt:
            return []
        with engine:
            if engine.columns(engine.target) is None:
                return []
            recognise(engine, mode, snapshot.spool, source)
            hidden = {*self.privacy.exclude_fields, *self.privacy.hash_fields}
            find = partial(find_missing, cap=self.max_deletes if marks else None, hidden=hidden)
            missing = scrubbed(lambda: find(engine, mode, snapshot.spool, self._find_leads))
        snapshot.hold_against(missing.known)
        return [] if snapshot.stats.doubt else missing.deleted_ids

    def _find_leads(self, field: str, value: str) -> Iterable[Lead]:
        question: dict[str, Any] = {field: value}
        return self.hook.iter_leads(**question)

    def _load(self, context: Context, snapshot: LeadSnapshot, source: Source, deleted_ids: list[int]) -> Load:
        from airflow_provider_sela.operators.task_runs import task_run_of
        from airflow_provider_sela.warehouse.tables import Load, TaskRun

        stats = snapshot.stats
        run_id = str(context.get("run_id") or f"manual__{stats.started.isoformat()}")
        return Load(
            task_run_of(context) or TaskRun(run_id, self.dag_id, self.task_id),
            stats=stats,
            source=source,
            reason=snapshot.verdict.reason,
            deleted_ids=deleted_ids,
            max_deletes=self.max_deletes,
            anchor=snapshot.anchor,
            asked=self._asked,
        )
