"""What becomes of a load whose leads have other fields than those that are documented."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from airflow_provider_sela.exceptions import SelaRequestError

if TYPE_CHECKING:
    from airflow_provider_sela.metrics import ReadStats

OnSchemaChange = Literal["warn", "fail", "ignore"]


def judge_fields(stats: ReadStats, on_schema_change: OnSchemaChange | str, log: logging.Logger) -> None:
    """Say which documented fields no lead has, and which fields are not documented.

    :raises SelaRequestError: there are some, and ``on_schema_change`` is ``fail``.
    """
    changes = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("no lead has", stats.missing_fields),
            ("not documented are", stats.unknown_fields),
        )
        if names
    ]
    if not changes or on_schema_change == "ignore":
        return
    change = f"the fields of leads are not those that are documented; {'; '.join(changes)}"
    if on_schema_change == "fail":
        raise SelaRequestError(
            f"{change}. Nothing was written. If the new fields will do, set on_schema_change='warn':"
            " columns of missing fields are NULL, and extra holds fields that are not documented"
        )
    log.warning("Sela: %s", change)
