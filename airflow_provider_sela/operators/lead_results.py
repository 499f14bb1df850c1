"""What SelaLeadsOperator returns: leads as far as an XCom carries them, or what became of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaLimitError
from airflow_provider_sela.metrics import RowCounts, load_counts
from airflow_provider_sela.storage.spool import lead_line

if TYPE_CHECKING:
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
    from airflow_provider_sela.storage.files import LeadFile

#: An XCom passes through the API server's memory into one row of Airflow's metadata database, escaped on its
#: way. MariaDB and MySQL clients refuse more than 16 MiB in one packet unless they are told otherwise.
MAX_XCOM_BYTES = 4 << 20
_REMEDY = (
    "are too much for an XCom: give SelaLeadsOperator a path, use SelaLeadsToSqlOperator, "
    "or narrow the filters"
)


def file_result(file: LeadFile, snapshot: LeadSnapshot) -> dict[str, Any]:
    """What the task returns, once lines were made of all leads."""
    stats = snapshot.stats
    counts, fields = load_counts(stats, RowCounts()), stats.fields() if file.columns else {}
    return {"path": file.url, "verdict": stats.verdict, **counts, **stats.portion(), **fields}


def known_of(file: LeadFile, snapshot: LeadSnapshot) -> dict[str, Any]:
    """What the manifest and the log say: what is known of the result, and whether it is proven."""
    known = {name: value for name, value in file_result(file, snapshot).items() if value is not None}
    return {**known, "proven": snapshot.verdict.proven, "started": snapshot.stats.started.isoformat()}


class XComBound:
    """Stops the read once its leads no longer fit into an XCom."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: dict[int, int] = {}
        self.size = 0

    def __call__(self, lead: RawLead) -> None:
        size = len(lead_line(lead))
        self.size += size - self._sizes.get(lead.id, 0)
        self._sizes[lead.id] = size
        if len(self._sizes) > self._most:
            raise SelaLimitError(f"more than {self._most} leads (max_xcom_leads) {_REMEDY}")
        if self.size > MAX_XCOM_BYTES:
            raise SelaLimitError(f"more than {MAX_XCOM_BYTES >> 20} MiB of leads {_REMEDY}")
