"""A read in parts, one for each mapped task, for lists that one worker reads too slowly.

::

    plan = SelaPlanPartsOperator(task_id="plan", path="s3://bucket/sela_parts")
    read = SelaReadPartOperator.partial(task_id="read", pool="sela").expand(part=plan.output)
    SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads", parts=read.output)

Filters, privacy options and ``sela_conn_id`` must be the same in all three.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.providers.common.compat.sdk import Context

from airflow_provider_sela.api.parameters import Reader, check_settled, whole_number
from airflow_provider_sela.api.request import lead_filters
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.base import SelaBaseOperator
from airflow_provider_sela.operators.handed_over import planned_part
from airflow_provider_sela.storage.paths import full_path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_sela.reading.parts_reader import PartsReader


def _number_of_parts(name: str, value: object) -> int:
    """Read ``max_parts``: Airflow maps a task over no more items than its ``[core] max_map_length``."""
    return whole_number(name, value, most=conf.getint("core", "max_map_length"))


class _PartsOperator(SelaBaseOperator):
    """What both have in common."""

    def reader(self, context: Context) -> PartsReader:
        """What plans or reads for this task."""
        from airflow_provider_sela.operators.task_runs import attempt_of
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

    readers: Mapping[str, Reader] = {
        **SelaBaseOperator.readers,
        "path": full_path,
        "max_parts": _number_of_parts,
    }
    template_fields: Sequence[str] = tuple(readers)

    def __init__(
        self,
        *,
        path: ObjectStoragePath | str,
        max_parts: int | str = 16,
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
        super().__init__(
            email=email, external_id=external_id, phone_number=phone_number, user=user, page_size=page_size,
            exclude_fields=exclude_fields, hash_fields=hash_fields,
            salt_conn_id=salt_conn_id, keep_metadata=keep_metadata, drop_metadata=drop_metadata,
            sela_conn_id=sela_conn_id, **kwargs,
        )  # fmt: skip
        self.path = path
        self.max_parts = max_parts
        check_settled(self, "path", "max_parts")

    def load(self, context: Context) -> list[dict[str, Any]]:
        """Plan, and return the parts."""
        page_size = self.hook.settings.page_size_for(self.page_size)
        parts = self.reader(context).plan(str(self.path), page_size=page_size, most=int(self.max_parts))
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

    readers: Mapping[str, Reader] = {**SelaBaseOperator.readers, "part": planned_part}
    template_fields: Sequence[str] = tuple(readers)

    def __init__(
        self,
        *,
        part: Any,
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
        super().__init__(
            email=email, external_id=external_id, phone_number=phone_number, user=user, page_size=page_size,
            exclude_fields=exclude_fields, hash_fields=hash_fields,
            salt_conn_id=salt_conn_id, keep_metadata=keep_metadata, drop_metadata=drop_metadata,
            sela_conn_id=sela_conn_id, **kwargs,
        )  # fmt: skip
        self.part = part
        check_settled(self, "part")

    def load(self, context: Context) -> dict[str, Any]:
        """Read the part, and return where it is."""
        from airflow_provider_sela.reading.parts import Part

        part = Part.from_xcom(self.part)
        return self.reader(context).read(part, concurrency=self.hook.settings.concurrency).xcom()
