"""What follows from a few answers of a server: how it behaves, and which configuration suits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Any

#: Leads per request beyond which fewer requests gain little, and repeating an answer costs much.
LARGE_PAGE = 1000
# Requests in flight that suit a list which takes long.
_MANY = 8
# Seconds; a read that takes longer is worth more requests at once.
_LONG = 60.0


class Filtering(StrEnum):
    """What the server makes of the filter ``external_id``."""

    EXACT = "exact"
    WIDER = "wider"
    IGNORED = "ignored"
    BLIND = "blind"
    UNKNOWN = "unknown"


_FILTERS = {
    Filtering.EXACT: "the filter gives exactly the lead that is asked for",
    Filtering.WIDER: "the filter gives other leads too, which are sorted out here",
    Filtering.IGNORED: "the filter is ignored: to find one lead, the whole list is read",
    Filtering.BLIND: "the filter does not find a lead that the list shows: no wait for it would end",
    Filtering.UNKNOWN: "no lead was seen that has one",
}
_BAD_FILTERS = (Filtering.IGNORED, Filtering.BLIND)


@dataclass(frozen=True)
class Seen:
    """What a server showed.

    :param count: leads in the whole list.
    :param latency: seconds for a small request, the median of several.
    :param asked: leads asked for in one large request.
    :param shown: leads that came.
    :param seconds: how long that took.
    :param honoured: whether a request for one lead gave one; None where the list has no second.
    :param orders: orders that all answers are consistent with, in Django's spelling.
    :param filtering: what became of ``external_id``.
    """

    count: int
    latency: float
    asked: int
    shown: int
    seconds: float
    honoured: bool | None
    orders: Sequence[str]
    filtering: Filtering

    @property
    def cap(self) -> int | None:
        """Most leads that the server gives at once; None if it gave all it was asked for."""
        return self.shown if self.shown < min(self.asked, self.count) else None


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    :param fine: whether it is as it should be.
    """

    subject: str
    text: str
    fine: bool = True


@dataclass(frozen=True)
class Advice:
    """An extra of the connection and the value that suits this server."""

    extra: str
    value: int
    reason: str


def findings(seen: Seen, page_size: int) -> list[Finding]:
    """Judge what was seen.

    :param page_size: of the connection.
    """
    return [
        Finding("answers", f"in {seen.latency * 1000:.0f} ms, the median"),
        Finding("leads", str(seen.count)),
        _order(seen),
        _page_size(seen, page_size),
        _filter(seen),
    ]


def advice(seen: Seen) -> list[Advice]:
    """Values for the connection's extras."""
    size = seen.cap or LARGE_PAGE
    if seen.honoured is False:
        size = max(seen.shown, 1)
    requests = max(ceil(seen.count / size), 1)
    unit = "request" if requests == 1 else "requests"
    one = seen.seconds * min(size, max(seen.count, 1)) / max(seen.shown, 1)
    concurrency = 4 if requests * one / 4 <= _LONG else _MANY
    together = max(requests / concurrency, 1) * one
    return [
        Advice("page_size", size, f"all leads in about {requests} {unit}"),
        Advice("concurrency", concurrency, f"which then take about {_duration(together)}"),
    ]


def report(base_url: str, seen: Seen, page_size: int, requests: int) -> dict[str, Any]:
    """All of it as plain data, for programs."""
    judged = findings(seen, page_size)
    return {
        "base_url": base_url,
        "fine": all(finding.fine for finding in judged),
        "latency": round(seen.latency, 4),
        "count": seen.count,
        "orders": list(seen.orders),
        "page_size_cap": seen.cap,
        "page_size_honoured": seen.honoured,
        "external_id_filter": str(seen.filtering),
        "remarks": [f"{finding.subject}: {finding.text}" for finding in judged if not finding.fine],
        "recommended": {each.extra: each.value for each in advice(seen)},
        "requests": requests,
    }


def _order(seen: Seen) -> Finding:
    if seen.count < 2:
        return Finding("order", "there are too few leads to tell; a list of one page needs none")
    if not seen.orders:
        return Finding("order", "none that is known: a read can converge, not be proven complete", fine=False)
    return Finding("order", f"by {' or '.join(seen.orders)}: a read can be proven complete")


def _page_size(seen: Seen, page_size: int) -> Finding:
    if seen.honoured is False:
        return Finding(
            "page_size", f"ignored, {seen.shown} leads came: a read can converge, not be proven", fine=False
        )
    if seen.cap is None:
        return Finding(
            "page_size", f"honoured, up to {seen.asked} at least" if seen.honoured else "not to tell yet"
        )
    if page_size > seen.cap:
        return Finding(
            "page_size", f"capped at {seen.cap}, and the connection asks for {page_size}", fine=False
        )
    return Finding("page_size", f"honoured, up to {seen.cap}")


def _filter(seen: Seen) -> Finding:
    return Finding("external_id", _FILTERS[seen.filtering], seen.filtering not in _BAD_FILTERS)


def _duration(seconds: float) -> str:
    return "a second" if seconds <= 1 else f"{seconds:.0f} seconds"
