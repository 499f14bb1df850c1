"""Waits for a lead, in all three modes with the same outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)
from airflow.triggers.base import BaseTrigger, StartTriggerArgs

from airflow_provider_sela import exceptions
from airflow_provider_sela.api.parameters import (
    Reader,
    boolean,
    check_settled,
    from_zero,
    optional,
    read_parameters,
    some_texts,
    text,
)
from airflow_provider_sela.api.request import filter_text
from airflow_provider_sela.exceptions import SelaError, SelaResponseError
from airflow_provider_sela.hooks.sela import SelaHook, find_leads
from airflow_provider_sela.retry import failing_fast
from airflow_provider_sela.sensors.endings import WaitOverError, own_endings
from airflow_provider_sela.triggers.failure_limit import FailureLimit
from airflow_provider_sela.triggers.lead_trigger import SelaLeadTrigger
from airflow_provider_sela.triggers.wait_log import log_wait, seen_so_far

if TYPE_CHECKING:
    from airflow_provider_sela.api.leads import Lead

#: The trigger keeps the deadline itself. Airflow's own, which also ends a wait that no triggerer runs, comes
#: later: if both end a wait at the same moment, Airflow can take the task for lost.
_DEADLINE_WITHOUT_TRIGGERER = timedelta(seconds=60)


class SelaLeadSensor(BaseSensorOperator):
    """Waits until a lead with an ``external_id`` exists, and gives that lead.

    The match is exact and made here, whatever the server's filter does. XCom is the lead as the API sends it.
    Several leads can have one ``external_id``: the one created last is given, and the ids of all of them are
    in the log and in a second XCom, ``lead_ids``.

    In every mode (``poke``, ``reschedule``, ``deferrable``) a wrong token or a refused request fails the task
    at once and without a retry, also with ``soft_fail``; ``soft_fail`` turns a time-out into a skip and
    nothing else. A network failure, 429 or 5xx is logged and waited out, and ``Retry-After`` is obeyed.

    :param external_id: the lead's id in the customer's own CRM, not empty (templated).
    :param statuses: wait until the lead has one of these, such as ``["CLOSED", "LOST"]``; the set of
        statuses is open. Default: any (templated).
    :param deferrable: wait in the triggerer and hold no worker slot; default: Airflow's
        ``[operators] default_deferrable``. The worker looks once before.
    :param start_from_trigger: skip that look and go to the triggerer directly. Works where Airflow does it
        (3.3; for an ``external_id`` without template also 2.11 and 3.0), elsewhere changes nothing.
    :param max_failures: failures in a row that are waited out; the next one fails the try. Default: 10, which
        with a ``poke_interval`` of a minute outlives a restart of the server. In mode ``reschedule`` below
        Airflow 3.3 nothing can carry the count from one look to the next: ``timeout`` alone ends the wait.
    :param sela_conn_id: Airflow connection of type ``sela`` (templated).
    :raises AirflowSensorTimeout: ``timeout`` seconds have passed.
    :raises AirflowFailException: waiting cannot help.
    :raises SelaUnavailableError: more than ``max_failures`` failures in a row.
    """

    #: How each parameter is read, by its name.
    readers: Mapping[str, Reader] = {
        "external_id": filter_text,
        "statuses": optional(some_texts),
        "deferrable": boolean,
        "max_failures": from_zero,
        "sela_conn_id": text,
    }
    template_fields: Sequence[str] = ("external_id", "statuses", "sela_conn_id")
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        external_id: str,
        statuses: Sequence[str] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        max_failures: int = 10,
        sela_conn_id: str = SelaHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.external_id = external_id
        self.statuses = statuses
        self.deferrable = deferrable
        self.max_failures = max_failures
        self.sela_conn_id = sela_conn_id
        self._failure_limit = FailureLimit(max_failures)
        self._retry_after = self._quiet_until = 0.0
        self._looks = 0
        self._others: Collection[int] | None = None
        check_settled(self, *self.readers)
        starts_there = boolean("start_from_trigger", start_from_trigger)
        if deferrable and starts_there and _renderable(external_id, statuses, sela_conn_id):
            trigger = self._trigger(None)
            classpath, arguments = trigger.serialize()
            self.start_from_trigger = True
            self.start_trigger_args = StartTriggerArgs(
                trigger_cls=classpath,
                trigger_kwargs=arguments,
                next_method="resume",
                next_kwargs=None,
                timeout=timedelta(seconds=self.timeout),
            )

    def execute(self, context: Context) -> Any:
        """Look, and wait in the chosen mode."""
        with failing_fast(), own_endings(self._time_out, soft_fail=self.soft_fail):
            if not boolean("deferrable", self.deferrable):
                return super().execute(context)
            deadline = time.time() + self.timeout
            seen = self.poke(context)
            if seen:
                return seen.xcom_value
            return self._defer(deadline)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once, unless the server asked for a pause that is not over, as at the time-out."""
        if time.monotonic() < self._quiet_until:
            return PokeReturnValue(is_done=False)
        failures = self._failure_limit
        self._recall(context)
        self._looks += 1
        self._retry_after = 0.0
        try:
            # The wait itself is the retry: a poke is one request, and each failure is counted.
            leads = self._find(max_attempts=1)
        except SelaError as error:
            try:
                self._retry_after = failures.failed(error, 0.0, self.log)
            except SelaError as fatal:
                raise WaitOverError(fatal) from None
            self._quiet_until = time.monotonic() + self._retry_after
            self._keep(context)
            return PokeReturnValue(is_done=False)
        failures.succeeded()
        if leads:
            return PokeReturnValue(True, self._result(leads, context))
        self._keep(context)
        return PokeReturnValue(is_done=False)

    def resume(self, context: Context, event: dict[str, Any]) -> Any:
        """Continue on the worker after the trigger fired: read the lead that it saw.

        :param event: what :class:`~airflow_provider_sela.triggers.lead_trigger.SelaLeadTrigger` yields.
        """
        status = event.get("status") if isinstance(event, dict) else None
        if status == "timeout":
            self._others = event.get("ids")
            raise AirflowSensorTimeout
        if status == "failed":
            kind = getattr(exceptions, str(event.get("error")), SelaResponseError)
            raise WaitOverError(kind(event.get("message")))
        if status != "found":
            raise WaitOverError(
                SelaResponseError("the trigger sent an event that this version does not know")
            )
        leads = self._find(seen=event["ids"])
        if leads:
            return self._result(leads, context)
        self.log.warning("Sela: the lead that was seen is gone (ids %s); waiting on", event["ids"])
        return self._defer(event.get("deadline") or time.time() + self.timeout)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after deferral.

        With ``soft_fail``, Airflow's sensors skip whatever goes wrong after a deferral, unlike in the other
        modes; here only a time-out is skipped, as there.
        """
        with failing_fast(), own_endings(self._time_out, soft_fail=self.soft_fail):
            # How Airflow, every version alike, tells a task that the time it deferred for is over.
            if next_method == "__fail__" and (next_kwargs or {}).get("error") == "Trigger timeout":
                raise AirflowSensorTimeout
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def _find(self, *, max_attempts: int | None = None, seen: Sequence[int] = ()) -> list[Lead]:
        read_parameters(self)
        self._failure_limit.limit = self.max_failures
        with closing(SelaHook(sela_conn_id=self.sela_conn_id)) as hook:
            leads = find_leads(hook, self.external_id, max_attempts=max_attempts)
        wanted = self.statuses
        found = [
            lead for lead in leads if wanted is None or lead.get("status") in wanted or lead["id"] in seen
        ]
        self._others = [lead["id"] for lead in leads if lead not in found]
        return found

    def _result(self, leads: list[Lead], context: Context) -> Lead:
        from airflow_provider_sela.api.leads import microseconds

        newest = max(leads, key=lambda lead: (microseconds(lead.get("created_time")) or 0, lead["id"]))
        ids = [lead["id"] for lead in leads]
        self.log.info("Sela: lead %d found%s", newest["id"], f" (newest of {ids})" if len(ids) > 1 else "")
        if "ti" in context:
            context["ti"].xcom_push(key="lead_ids", value=ids)
        return newest

    def _defer(self, deadline: float) -> None:
        remaining = deadline - time.time()
        if remaining <= 0:
            raise AirflowSensorTimeout
        self._log_wait(deadline)
        self.defer(
            trigger=self._trigger(deadline),
            method_name="resume",
            timeout=timedelta(seconds=remaining) + _DEADLINE_WITHOUT_TRIGGERER,
        )

    def _trigger(self, deadline: float | None) -> SelaLeadTrigger:
        return SelaLeadTrigger(
            external_id=self.external_id,
            statuses=self.statuses,
            sela_conn_id=self.sela_conn_id,
            poke_interval=self.poke_interval,
            exponential_backoff=bool(self.exponential_backoff),
            max_wait=self.max_wait.total_seconds() if self.max_wait else None,
            max_failures=self.max_failures,
            deadline=deadline,
            retry_at=time.time() + self._retry_after if self._retry_after else None,
        )

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        interval: float = super()._get_next_poke_interval(started_at, run_duration, poke_count)
        left: float = self.timeout - run_duration()
        self._log_wait(time.time() + left)
        return max(float(interval), min(self._retry_after, left))

    def _log_wait(self, deadline: float) -> None:
        log_wait(self.log, self._looks, statuses=self.statuses, deadline=deadline, others=self._others)

    def _time_out(self) -> Exception:
        seen = f": {described}" if (described := seen_so_far(self._others)) else ""
        message = f"Sensor has timed out: no such lead within {self.timeout} seconds{seen}."
        error: Exception = (AirflowSkipException if self.soft_fail else AirflowSensorTimeout)(message)
        return error

    def _recall(self, context: Context) -> None:
        """Go on counting where the last look of this try has stopped, in whichever process."""
        store = self._store(context)
        if store is not None:
            kept = store.get(_key(context), {})
            self._looks = int(kept.get("looks", 0))
            self._failure_limit.in_a_row = int(kept.get("failures", 0))

    def _keep(self, context: Context) -> None:
        store = self._store(context)
        if store is not None:
            store.set(_key(context), {"looks": self._looks, "failures": self._failure_limit.in_a_row})

    def _store(self, context: Context) -> Any:
        """Airflow's store for the task, where it has one and the next look is another process."""
        return context.get("task_state_store") if self.reschedule else None


def _key(context: Context) -> str:
    return f"sela_wait_{context['ti'].try_number}"


def _renderable(*values: object) -> bool:
    """Whether the triggerer gets these values as the worker would: below 3.3 it renders no template."""
    rendered = hasattr(BaseTrigger, "render_template_fields")
    return all(
        value is None or (isinstance(value, str | list | tuple) and (rendered or "{{" not in str(value)))
        for value in values
    )
