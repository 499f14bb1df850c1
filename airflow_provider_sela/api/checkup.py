"""What follows from a few answers of a server: how it behaves, and which configuration suits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, inf
from typing import Any

#: Leads per request beyond which fewer requests gain little, and repeating an answer costs much.
LARGE_PAGE = 1000
# Requests in flight that suit a list which takes long.
_MANY = 8
# The least that extra requests_per_second takes.
_SLOWEST = 0.01
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
    :param requests: how many were sent for all this.
    :param rate: requests per second that the server lets through, where it refused one for their number.
    :param cached: some answer may be older than its request.
    :param repeated: some answer shows a lead twice.
    :param unseen: how the pages end before all leads are shown that are counted; empty if they do not.
    """

    count: int
    latency: float
    asked: int
    shown: int
    seconds: float
    honoured: bool | None
    orders: Sequence[str]
    filtering: Filtering
    requests: int
    rate: float | None = None
    cached: bool = False
    repeated: bool = False
    unseen: str = ""

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
    value: int | float
    reason: str


def findings(seen: Seen, page_size: int, unknown_extras: Mapping[str, str | None]) -> list[Finding]:
    """Judge what was seen.

    :param page_size: of the connection.
    :param unknown_extras: of the connection, see :attr:`.Settings.unknown_extras`.
    """
    return [
        Finding("answers", f"in {seen.latency * 1000:.0f} ms, the median"),
        Finding("leads", str(seen.count)),
        _order(seen),
        _new(seen),
        _page_size(seen, page_size),
        _filter(seen),
        *_untrue(seen),
        *([] if seen.rate is None else [_rate(seen.rate)]),
        *(Finding("extras", unknown_extra(*pair), fine=False) for pair in unknown_extras.items()),
    ]


def unknown_extra(name: str, meant: str | None) -> str:
    """Say that an extra has no effect.

    :param meant: the extra that its name resembles.
    """
    return f"{name!r} is unknown and has no effect" + (f": is {meant!r} meant?" if meant else "")


def advice(seen: Seen) -> list[Advice]:
    """Values for the connection's extras."""
    size = seen.cap or LARGE_PAGE
    if seen.honoured is False:
        size = max(seen.shown, 1)
    requests = max(ceil(seen.count / size), 1)
    unit = "request" if requests == 1 else "requests"
    one = seen.seconds * min(size, max(seen.count, 1)) / max(seen.shown, 1)
    concurrency = 4 if requests * one / 4 <= _LONG else _MANY
    together = max(max(requests / concurrency, 1) * one, requests / (seen.rate or inf))
    return [
        Advice("page_size", size, f"all leads in about {requests} {unit}"),
        Advice("concurrency", concurrency, f"which then take about {_duration(together)}"),
        *([] if seen.rate is None else [_slower(seen.rate)]),
    ]


def report(base_url: str, seen: Seen, judged: Sequence[Finding]) -> dict[str, Any]:
    """All of it as plain data, for programs.

    :param judged: what :func:`findings` gave.
    """
    return {
        "base_url": base_url,
        "fine": all(finding.fine for finding in judged),
        "latency": round(seen.latency, 4),
        "count": seen.count,
        "orders": list(seen.orders),
        "read": ["full", *readable(seen)],
        "page_size_cap": seen.cap,
        "page_size_honoured": seen.honoured,
        "pages": seen.unseen or "all",
        "cached": seen.cached,
        "repeated": seen.repeated,
        "external_id_filter": str(seen.filtering),
        "remarks": [f"{finding.subject}: {finding.text}" for finding in judged if not finding.fine],
        "throttled": seen.rate is not None,
        "recommended": {each.extra: each.value for each in advice(seen)},
        "requests": seen.requests,
    }


def _order(seen: Seen) -> Finding:
    if seen.count < 2:
        return Finding("order", "there are too few leads to tell; a list of one page needs none")
    if not seen.orders:
        return Finding("order", "none that is known: a read can converge, not be proven complete", fine=False)
    broken = seen.unseen or seen.cached or seen.repeated or seen.honoured is False
    proven = "" if broken else ": a read can be proven complete"
    return Finding("order", f"by {' or '.join(seen.orders)}{proven}")


def readable(seen: Seen) -> tuple[str, ...]:
    """What of ``changed`` and ``new`` can be read alone."""
    ends = {order.startswith("-") for order in seen.orders}
    if len(ends) != 1 or seen.honoured is False or seen.count <= seen.shown:
        return ()
    moving = all(order.lstrip("-") == "modified_time" for order in seen.orders)
    return ("changed", "new") if moving else ("new",)


def _new(seen: Seen) -> Finding:
    words = readable(seen)
    if words:
        return Finding("read", f"{' or '.join(words)}, where a full load proves that order")
    if seen.count <= seen.shown:
        return Finding("read", "full: one request brings the whole list")
    return Finding("read", "full: nothing shows at which end of the list new leads stand")


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


def _untrue(seen: Seen) -> list[Finding]:
    """What a proof takes for given of every server and this one breaks; one line if it is nothing."""
    found = []
    if seen.unseen:
        words = f"{seen.unseen}, and {seen.count} leads are counted: the rest of them cannot be read"
        found.append(Finding("pages", words, fine=False))
    if seen.cached:
        words = (
            "answers may be older than their requests (Age, Expires, Cache-Control, the hit of a CDN, or a"
            " Date that goes back): a read can converge, not be proven"
        )
        found.append(Finding("cache", words, fine=False))
    if seen.repeated:
        words = "one answer shows a lead twice, as by a join: a read can converge, not be proven"
        found.append(Finding("repeated", words, fine=False))
    return found or [Finding("pages", "to the last one, out of no cache, each lead once")]


def _rate(rate: float) -> Finding:
    return Finding("rate", f"limited: about {rate:.2g} requests a second are let through (429)", fine=False)


def _slower(rate: float) -> Advice:
    # Requests do not arrive as evenly as they leave, and what is just too fast is refused again and again.
    value = max(floor(rate * 95) / 100, _SLOWEST)
    return Advice("requests_per_second", value, "below the limit, so that nothing is refused")


def _filter(seen: Seen) -> Finding:
    return Finding("external_id", _FILTERS[seen.filtering], seen.filtering not in _BAD_FILTERS)


def _duration(seconds: float) -> str:
    return "a second" if seconds <= 1 else f"{seconds:.0f} seconds"
