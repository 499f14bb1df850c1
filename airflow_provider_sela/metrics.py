"""The figures of a read, and statistics for StatsD, Datadog or OpenTelemetry, wherever Airflow sends its own.

Each statistic has the tag ``conn_id``, for the backends that have tags. Neither a name nor a tag ever holds
anything of a lead, of a filter or of the token. Statistics that cannot be sent are dropped: no load depends
on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

#: Two clocks that differ by no more may agree: an answer can be on its way for so long.
TOLERANCE_SECONDS = 60
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
    "sela.verdict.refuted": ("counter", "verdicts that a lead refuted which was not shown and answers"),
}


@dataclass(frozen=True, kw_only=True)
class ReadStats:
    """What a verified read found and cost.

    :param verdict: ``ATOMIC``, ``PROVEN(order)``, ``CONVERGED(passes)`` or ``UNVERIFIED``.
    :param leads: distinct leads.
    :param rejected: distinct results without a usable id.
    :param nulled: malformed values.
    :param requests: requests sent, retries included.
    :param retries: requests that were sent again.
    :param repaired: gaps between pages that were read again.
    :param passes: whole passes over the list, 1 where one was enough.
    :param seconds: duration, in the task that ended it.
    :param started: when the first request was about to be sent, in whichever task, by the server's clock: it
        is the one that all workers share. A read gives a ``pendulum.DateTime``.
    :param missing_fields: documented fields that no lead has any more, but for those that are excluded.
    :param unknown_fields: fields that came and are not documented.
    :param scope: which leads were read: ``full`` for all, ``changed`` or ``new``.
    :param since: from when on, where it is not all.
    :param why_full: why everything was read although less was asked for; empty where that is not so.
    :param clock_offset: seconds that this clock is ahead of the worker's, as far as can be told.
    """

    verdict: str = "UNVERIFIED"
    leads: int = 0
    rejected: int = 0
    nulled: int = 0
    requests: int = 0
    retries: int = 0
    repaired: int = 0
    passes: int = 1
    seconds: float = 0.0
    started: datetime
    missing_fields: Sequence[str] = ()
    unknown_fields: Sequence[str] = ()
    scope: str = "full"
    since: datetime | None = None
    why_full: str = ""
    clock_offset: float = 0.0

    def now(self) -> datetime:
        """The time by the server's clock."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset)

    @property
    def doubt(self) -> str:
        """Why a lead may be there although it was not read; empty where it cannot."""
        if self.scope != "full":
            return f"of the list only what is {self.scope} was read"
        if self.rejected:
            return f"{self.rejected} results have no usable id"
        proven = self.verdict.startswith(("ATOMIC", "PROVEN"))
        return "" if proven else f"the verdict {self.verdict} is no proof"

    def fields(self) -> dict[str, list[str]]:
        """Names of fields that are missing or not documented, as results and tables of loads call them."""
        return {"missing_fields": list(self.missing_fields), "unknown_fields": list(self.unknown_fields)}

    def portion(self) -> dict[str, str | None]:
        """How much of the list was read, by the names that results and tables of loads give it."""
        since = None if self.since is None else self.since.isoformat()
        return {"scope": self.scope, "since": since, "why_full": self.why_full or None}

    def counts(self) -> dict[str, int]:
        """The counts by the names that results, tables of loads and lineage give them, in their order."""
        return {
            "read": self.leads,
            "nulled": self.nulled,
            "rejected": self.rejected,
            "requests": self.requests,
            "retries": self.retries,
            "repaired": self.repaired,
            "passes": self.passes,
        }


class RowCounts(NamedTuple):
    """What a load did to the rows of a table; None for what it does not compare.

    :param new: leads that the table did not have.
    :param changed: leads whose row differed.
    :param unchanged: leads whose row was left alone.
    :param deleted: rows that were removed or marked as deleted.
    :param ahead: leads whose row is stamped later than now, so that no change reaches it.
    """

    new: int | None = None
    changed: int | None = None
    unchanged: int | None = None
    deleted: int | None = None
    ahead: int | None = None


def load_counts(stats: ReadStats, rows: RowCounts) -> dict[str, int | None]:
    """The counts of a load: leads read, what became of rows, and the other counts of the read."""
    read, *others = stats.counts().items()
    return dict([read, *rows._asdict().items(), *others])


_NOTHING = ReadStats(started=datetime.fromtimestamp(0, UTC))
#: Names of the counts, which are columns of the tables of loads.
READ_COUNTS = tuple(_NOTHING.counts())
LOAD_COUNTS = tuple(load_counts(_NOTHING, RowCounts()))


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
