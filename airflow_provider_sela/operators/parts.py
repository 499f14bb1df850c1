"""A read in parts, one for each mapped task, for lists that one worker reads too slowly.

::

    plan = SelaPlanPartsOperator(task_id="plan", path="s3://bucket/sela_parts")
    read = SelaReadPartOperator.partial(task_id="read", pool="sela").expand(part=plan.output)
    SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads", parts=read.output)

Filters, privacy options and ``sela_conn_id`` must be the same in all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.providers.common.compat.sdk import Context

from airflow_provider_sela.api.request import lead_filters, whole_number
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.operators.base import SelaBaseOperator, attempt_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_sela.reading.parts_reader import PartsReader


class _PartsOperator(SelaBaseOperator):
    """What both have in common."""

    def reader(self, context: Context) -> PartsReader:
        """What plans or reads for this task."""
        from airflow_provider_sela.reading.parts_reader import PartsReader

        run, attempt = attempt_of(context)
        filters = lead_filters(**self.filters)
        return PartsReader(self.hook.transport, filters, self.privacy, run=run, attempt=attempt, log=self.log)


class SelaPlanPartsOperator(_PartsOperator):
    """Begin a verified read and split the rest of it into parts, one for each mapped task.

    The XCom is a list of parts: where the plan is and which part of it to read, no lead. It has at least one
    item, also where the list is so short that the last task had better read it alone.

    A retry makes a new plan, and removes what the parts of the old one have left.

    :param path: folder that all workers share, such as ``s3://bucket/sela_parts`` or
        ``s3://my_aws@bucket/sela_parts`` with a storage connection; each run makes a folder of its own in it
        (templated). It holds leads, as far as the privacy options let them pass, until they have landed.
    :param max_parts: parts at most; Airflow's ``[core] max_map_length`` (1024 by default) bounds it. Default:
        16 (templated).
    :raises SelaTargetError: the folder cannot be written.

    The other parameters: see :class:`~airflow_provider_sela.operators.base.SelaBaseOperator`.
    """

    template_fields: Sequence[str] = (*SelaBaseOperator.template_fields, "path", "max_parts")

    def __init__(self, *, path: ObjectStoragePath | str, max_parts: int | str = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.max_parts = max_parts

    def load(self, context: Context) -> list[dict[str, Any]]:
        """Plan, and return the parts."""
        most, allowed = whole_number("max_parts", self.max_parts), conf.getint("core", "max_map_length")
        if most > allowed:
            raise SelaRequestError(
                f"max_parts is {most}: allowed is 1 to {allowed}, Airflow's [core] max_map_length"
            )
        page_size = self.hook.settings.page_size_for(self.page_size)
        parts = self.reader(context).plan(str(self.path), page_size=page_size, most=most)
        return [part.xcom() for part in parts]


class SelaReadPartOperator(_PartsOperator):
    """Read one part of a planned read into a file; to be mapped over the parts.

    The XCom says where the file is and what it must be, no lead. A retry reads the part anew.

    :param part: one item of the output of :class:`SelaPlanPartsOperator` (templated).
    :raises SelaRequestError: the part was planned with another connection, filter or privacy rule.
    :raises SelaTargetError: the plan is not there, or the file cannot be written.

    The other parameters: see :class:`~airflow_provider_sela.operators.base.SelaBaseOperator`; ``page_size``
    is the plan's.
    """

    template_fields: Sequence[str] = (*SelaBaseOperator.template_fields, "part")

    def __init__(self, *, part: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.part = part

    def load(self, context: Context) -> dict[str, Any]:
        """Read the part, and return where it is."""
        from airflow_provider_sela.reading.parts import Part

        part = Part.from_xcom(self.part)
        return self.reader(context).read(part, concurrency=self.hook.settings.concurrency).xcom()
