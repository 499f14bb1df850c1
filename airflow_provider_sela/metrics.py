"""Statistics for whatever Airflow sends its own to: StatsD, Datadog or OpenTelemetry.

Each has the tag ``conn_id``, for the backends that have tags. Neither a name nor a tag ever holds anything of
a lead, of a filter or of the token. Statistics that cannot be sent are dropped: no load depends on them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

#: Every statistic by name: its type and what it counts. Durations are milliseconds in StatsD.
METRICS = {
    "sela.requests": ("counter", "requests sent, those sent again included"),
    "sela.retries": ("counter", "requests sent again after a failure"),
    "sela.rate_limit.wait": ("timer", "each wait because of `Retry-After` or the cap `requests_per_second`"),
    "sela.leads": ("counter", "distinct leads of verified reads"),
    "sela.read.duration": ("timer", "a verified read"),
    "sela.load.duration": ("timer", "a task that landed or returned leads: the read and the writing"),
    "sela.verdict.atomic": ("counter", "verified reads with this verdict"),
    "sela.verdict.proven": ("counter", "verified reads with this verdict"),
    "sela.verdict.converged": ("counter", "verified reads with this verdict"),
    "sela.verdict.unverified": ("counter", "verified reads with this verdict"),
}


def count(name: str, conn_id: str, number: int = 1) -> None:
    """Add to a counter."""
    if number:
        _send(lambda stats: stats.incr(name, number, tags={"conn_id": conn_id}))


def duration(name: str, conn_id: str, seconds: float) -> None:
    """Record a duration."""
    _send(lambda stats: stats.timing(name, timedelta(seconds=seconds), tags={"conn_id": conn_id}))


def _send(send: Callable[[Any], None]) -> None:
    try:
        from airflow.providers.common.compat.sdk import Stats

        send(Stats)
    except Exception:  # noqa: BLE001, S110 (backends raise what they like, and a load is worth more)
        pass
