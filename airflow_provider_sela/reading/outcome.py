"""What a read says of itself when it has ended: in metrics and in the log of its task."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_sela import metrics
from airflow_provider_sela.metrics import TOLERANCE_SECONDS, ReadStats
from airflow_provider_sela.snapshot.verdict import Verdict


def count_outcome(conn_id: str, verdict: Verdict, stats: ReadStats) -> None:
    """Give a read to Airflow's metrics."""
    metrics.count("sela.leads", conn_id, stats.leads)
    metrics.count(f"sela.verdict.{verdict.strength.name.lower()}", conn_id)
    metrics.duration("sela.read.duration", conn_id, stats.seconds)


def log_outcome(log: logging.Logger, verdict: Verdict, stats: ReadStats, remarks: Iterable[str]) -> None:
    """Log what was found, what it cost and what is odd about it.

    :param remarks: of privacy options that met nothing.
    """
    log.info(
        "Sela: verdict %s, %d leads read, %d requests, %d retries, %d gaps repaired, %d passes, %.1f s%s",
        verdict, stats.leads, stats.requests, stats.retries, stats.repaired, stats.passes,
        stats.seconds, in_brackets(verdict),
    )  # fmt: skip
    if abs(stats.clock_offset) > TOLERANCE_SECONDS:
        log.warning(
            "Sela: this worker's clock and the server's differ by %.0f s: times go by the server's",
            stats.clock_offset,
        )
    if stats.rejected:
        log.warning("Sela: %d results have no usable id and are kept as rejects", stats.rejected)
    for remark in remarks if stats.leads else ():
        log.warning("Sela: %s", remark)


def in_brackets(verdict: Verdict) -> str:
    """The reason of a verdict as it stands behind it; empty where there is none."""
    return f" ({verdict.reason})" if verdict.reason else ""
