"""What the tasks of a read in parts hand over, as parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_sela.api.parameters import plain_data
from airflow_provider_sela.exceptions import SelaRequestError


def planned_part(name: str, value: object) -> Any:
    """Read ``part``: one item of the output of the task that plans."""
    read = plain_data(name, value)
    if not isinstance(read, Mapping):
        raise SelaRequestError(
            f"{name} is no part: map the task over the output of SelaPlanPartsOperator, by"
            " expand(part=plan.output)"
        )
    return read


def parts_output(name: str, value: object) -> Any:
    """Read ``parts``: the output of mapped tasks, which Airflow fetches item by item."""
    read = plain_data(name, value)
    if isinstance(read, str | bytes) or not isinstance(read, Sequence):
        raise SelaRequestError(
            f"{name} is no output of SelaReadPartOperator: give it that, as parts=read.output"
        )
    return read
