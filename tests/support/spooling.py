"""Single leads into a spool, which takes the raw leads of a whole page at once."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.storage.spool import Spool

T1, T2, T3 = (f"2025-01-01T00:00:0{second}+00:00" for second in (1, 2, 3))


def lead(key: int, modified: Any = T1, **values: Any) -> Lead:
    """A lead of which only id, time and these values matter."""
    made: Lead = {"id": key, "modified_time": modified}
    made.update(values)  # type: ignore[typeddict-item]
    return made


def add(spool: Spool, lead: Any) -> bool:
    """Take a lead; True if its id was not known before."""
    known = len(spool)
    spool.add_all([RawLead.from_lead(lead)])
    return len(spool) > known
