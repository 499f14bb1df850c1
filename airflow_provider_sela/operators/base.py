"""What every operator that asks for leads shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from airflow.providers.common.compat.sdk import BaseOperator, Context

from airflow_provider_sela.api.parameters import (
    OnUnverified,
    Reader,
    check_settled,
    choice,
    mapped,
    optional,
    read_parameters,
    text,
    unverified_choice,
    whole_number,
)
from airflow_provider_sela.api.request import FILTERS, lead_filters
from airflow_provider_sela.hooks.privacy_options import PRIVACY_OPTIONS, check_privacy, privacy_of
from airflow_provider_sela.hooks.sela import SelaHook, open_snapshot
from airflow_provider_sela.operators.field_changes import OnSchemaChange, judge_fields
from airflow_provider_sela.operators.handed_over import parts_output
from airflow_provider_sela.retry import failing_fast

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_sela.api.raw import RawLead
    from airflow_provider_sela.lineage import Target
    from airflow_provider_sela.privacy import Privacy
    from airflow_provider_sela.reading.continuation import Continuation
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
    from airflow_provider_sela.reading.parts import Parts
    from airflow_provider_sela.storage.spool import Encoder


class TaskKilledError(BaseException):
    """The task was told to end. No ``Exception``, so that nothing on the way out takes it for its own."""


class SelaBaseOperator(BaseOperator):
    """Base of the operators that ask for leads; use one of their subclasses.

    :param email: read only leads with this e-mail address (templated).
    :param external_id: read only leads with this id in the customer's own CRM (templated).
    :param phone_number: read only leads with this phone number, E.164 such as ``+18042221111`` (templated).
    :param user: read only leads of this user, an integer (templated).
    :param page_size: leads per request; default: the connection's. The server may return fewer (templated).
    :param exclude_fields: fields that are not written; ``extra`` stands for all that are not documented,
        ``extra.score`` for one of them (templated, as are all that follow).
    :param hash_fields: text fields of which a salted hash is written. ``metadata`` often repeats them: see
        the next two.
    :param salt_conn_id: connection whose Password is the salt; needed with ``hash_fields``.
    :param keep_metadata: the only keys of ``metadata`` that are written; default: all.
    :param drop_metadata: keys of ``metadata``, at every depth and in every case, that are not written.
    :param sela_conn_id: Airflow connection of type ``sela``.
    """

    _loading = False

    #: How each templated parameter is read, by its name.
    readers: Mapping[str, Reader] = {
        **{name: optional(reader) for name, reader in FILTERS.items()},
        "page_size": optional(whole_number),
        **PRIVACY_OPTIONS,
        "sela_conn_id": text,
    }
    template_fields: Sequence[str] = tuple(readers)

    def __init__(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        page_size: int | str | None = None,
        exclude_fields: Collection[str] = (),
        hash_fields: Collection[str] = (),
        salt_conn_id: str | None = None,
        keep_metadata: Collection[str] | None = None,
        drop_metadata: Collection[str] = (),
        sela_conn_id: str = SelaHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.email = email
        self.external_id = external_id
        self.phone_number = phone_number
        self.user = user
        self.page_size = page_size
        self.exclude_fields = exclude_fields
        self.hash_fields = hash_fields
        self.salt_conn_id = salt_conn_id
        self.keep_metadata = keep_metadata
        self.drop_metadata = drop_metadata
        self.sela_conn_id = sela_conn_id
        check_settled(self, *SelaBaseOperator.readers)
        if not mapped(self):
            check_privacy(**self._privacy_options)

    @cached_property
    def hook(self) -> SelaHook:
        """The hook of this task's connection."""
        return SelaHook(sela_conn_id=self.sela_conn_id)

    @property
    def filters(self) -> dict[str, Any]:
        """The filters as the hook's methods take them."""
        return {name: getattr(self, name) for name in FILTERS}

    @cached_property
    def privacy(self) -> Privacy:
        """What of a lead must not be written."""
        return privacy_of(**self._privacy_options)

    @property
    def _privacy_options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PRIVACY_OPTIONS}

    def execute(self, context: Context) -> Any:
        """Run the task; failures that no retry can mend fail it at once."""
        clock = time.monotonic()
        with failing_fast():
            read_parameters(self)
            self.check_together()
            try:
                self._loading = True
                result = self.load(context)
            finally:
                self._loading = False
                self.hook.close()
        self.after_load(context, result, time.monotonic() - clock)
        return result

    def check_together(self) -> None:
        """Refuse parameters that contradict each other, before anybody is asked for anything."""
        check_privacy(**self._privacy_options)

    def on_kill(self) -> None:
        """End at once: what was begun is undone on the way out.

        Airflow 3 calls this from its signal handler and then waits 5 seconds before it kills the process,
        which would leave a half-written file in the target's folder.
        """
        if self._loading:
            raise TaskKilledError("the task was told to end")

    def load(self, context: Context) -> Any:
        """Do the subclass's work and return the task's XCom."""
        raise NotImplementedError

    def after_load(self, context: Context, result: Any, seconds: float) -> None:
        """Do what is left after the work, for a subclass; an ``execute`` of its own would be a nested one."""


class SelaReadOperator(SelaBaseOperator):
    """Base of the operators that read leads and verify that they have them all.

    :param on_unverified: what to do when completeness could not be established: ``fail`` (default, because a
        table that silently lacks leads is worse than a late one) or ``warn`` (templated).
    :param parts: what other tasks have read, as ``parts=read.output``: see
        :class:`~airflow_provider_sela.operators.parts.SelaReadPartOperator`. Default: this task reads all.
        Filters, privacy options and connection must be those of the other tasks; ``page_size`` is taken from
        them (templated).
    :param on_schema_change: what to do when no lead has a documented field any more, or leads have fields
        that are not documented: ``warn`` (default), ``fail``, before anything is written, or ``ignore``. Such
        fields are looked for where leads become columns (templated).

    The other parameters: see :class:`SelaBaseOperator`.
    """

    readers: Mapping[str, Reader] = {
        **SelaBaseOperator.readers,
        "on_unverified": unverified_choice,
        "on_schema_change": choice(*get_args(OnSchemaChange)),
        "parts": optional(parts_output),
    }
    template_fields: Sequence[str] = tuple(readers)
    # What this run has done so far, for lineage and asset events.
    _read: LeadSnapshot | None = None
    _target: Target | None = None

    def __init__(
        self,
        *,
        on_unverified: OnUnverified | str = "fail",
        on_schema_change: OnSchemaChange | str = "warn",
        parts: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.on_unverified = on_unverified
        self.parts = parts
        self.on_schema_change = on_schema_change
        check_settled(self, "on_unverified", "on_schema_change", "parts")

    @contextmanager
    def snapshot(
        self,
        encoder: Encoder | None = None,
        watch: Callable[[RawLead], object] | None = None,
        continuation: Continuation | None = None,
    ) -> Iterator[LeadSnapshot]:
        """The verified read of this task's leads."""
        from airflow_provider_sela.reading.garbage import frozen

        self._read = open_snapshot(
            self.hook,
            lead_filters(**self.filters),
            page_size=self.page_size,
            on_unverified=self.on_unverified,
            privacy=self.privacy,
            encoder=encoder,
            watch=watch,
            parts=self.shared_parts,
            continuation=continuation,
        )
        with self._read as snapshot, frozen():
            yield snapshot

    def judge_rows(self, snapshot: LeadSnapshot) -> None:
        """Say which values are malformed and, as ``on_schema_change`` says, which fields have changed.

        To be called when all leads have become lines, before anything is kept.

        :raises SelaRequestError: there are some, and it is ``fail``.
        """
        snapshot.log_nulled()
        judge_fields(snapshot.stats, self.on_schema_change, self.log)

    @cached_property
    def shared_parts(self) -> Parts | None:
        """What other tasks have read, as far as it is found."""
        if self.parts is None:
            return None
        from airflow_provider_sela.reading.parts import Parts, asked_of

        asked = asked_of(self.hook.settings, lead_filters(**self.filters), self.privacy)
        return Parts.open(self.parts, asked, self.log)

    def after_load(self, context: Context, result: Any, seconds: float) -> None:
        """Report what was done, and remove what other tasks have read for it."""
        from airflow_provider_sela import metrics
        from airflow_provider_sela.assets import describe_outlets

        metrics.duration("sela.load.duration", self.sela_conn_id, seconds)
        describe_outlets(context, self.outlets, self._facts(result))
        if self.shared_parts is not None:
            self.shared_parts.remove()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Tell OpenLineage what this run has done; called after a failure as well, and asks nobody."""
        from airflow_provider_sela.lineage import operator_lineage

        if self._read is None:
            return None
        stats = getattr(self._read, "stats", None)
        return operator_lineage(self.hook.settings.base_url, stats, self._target)

    def _facts(self, result: Any) -> dict[str, Any]:
        """Counts and verdict of a finished run."""
        if isinstance(result, dict):
            return {name: value for name, value in result.items() if value is not None}
        return {} if self._read is None else {"verdict": str(self._read.verdict), "read": len(result)}
