"""What a load leaves to the next one, so that it may read only what is new.

Every write after the read began carries the floor or a later time, but for the time that a write takes to
show (``lookback``). Two bounds are known, as in ``floors``, and the smaller is taken:

* When the read began, by the server's clock. A lead dated into the future cannot lift it.
* The newest time at the newest end then. A server's clock that runs ahead cannot lift it.

Ids have no time. An id that is given out early may show late, though hardly later than ``lookback``. So ids
count as settled below those of all leads that were created within that time before the read, less a margin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.orders import ORDERS, Order
from airflow_provider_sela.snapshot.proof import at_newest_end
from airflow_provider_sela.snapshot.reach import Scope
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.windows import Observation

_MARGIN_IDS = 50
"""Half a usual page, for leads whose ``created_time`` is not when they came, such as imported ones."""

CLOCKS_APART = 300_000_000
"""Microseconds by which the clocks of servers and workers may differ."""

_BY_NAME = {str(order): order for order in ORDERS if not order.ties}


@dataclass(frozen=True)
class Anchor:
    """Where the next read may end.

    :param orders: orders that the reads so far have proven, in Django's spelling.
    :param floor: see this module; microseconds since the epoch.
    :param low_id: no lead with this id or a lower one is new any more; None where that is not known.
    :param highest_id: of all leads so far.
    :param known: leads that the reads so far have shown.
    :param full: when the last read of everything began, microseconds since the epoch.
    :param cap: leads that the server gave at once; None where a version that did not say so has left this.
    """

    orders: tuple[str, ...]
    floor: int
    low_id: int | None
    highest_id: int
    known: int
    full: int
    cap: int | None = None

    def refusal(self, scope: Scope, now: int, full_every: int | None) -> str:
        """Why everything is to be read all the same; empty where it need not be.

        :param now: the time, microseconds since the epoch.
        :param full_every: how long a read of everything is good for, in microseconds; None: for ever.
        """
        if scope is Scope.CHANGED and not all(order.mutable for order in named_orders(self.orders)):
            return f"the list is sorted by {' or '.join(self.orders)}, which does not show what has changed"
        age = now - self.full
        if full_every is not None and age >= full_every:
            return "the last read of everything is as old as full_every"
        return "the last read of everything is dated after now" if age < -CLOCKS_APART else ""

    def above(self, other: Anchor) -> Anchor:
        """This one, nowhere below an earlier one: what that has settled stays settled."""
        low_ids = [low for low in (self.low_id, other.low_id) if low is not None]
        return replace(
            self,
            floor=max(self.floor, other.floor),
            low_id=max(low_ids, default=None),
            highest_id=max(self.highest_id, other.highest_id),
        )


def named_orders(names: Iterable[str]) -> list[Order]:
    """Orders by their spelling; names that no order has are passed over."""
    return [_BY_NAME[name] for name in names if name in _BY_NAME]


def anchor_of(
    record: Record, orders: Sequence[Order], *, started: int, lookback: int, known: int, full: int
) -> Anchor | None:
    """What a proven read leaves to the next one, None where its newest end shows no time.

    :param record: what was read.
    :param orders: under which it is proven.
    :param started: when it began, by the server's clock or earlier; microseconds since the epoch.
    :param lookback: the microseconds that a change may take to show.
    :param known: leads that are known after it.
    :param full: when the last read of everything began.
    """
    newest = [_newest(order, record.observations) for order in orders if order.key != "id"]
    if MISSING in newest:
        return None
    return Anchor(
        orders=tuple(map(str, orders)),
        floor=min([started, *newest]),
        low_id=_low_id(record.observations, started - lookback),
        highest_id=max(record.known),
        known=known,
        full=full,
        cap=record.cap,
    )


def _newest(order: Order, observations: Sequence[Observation]) -> int:
    """The newest key that the newest end showed when it was read first."""
    first = next(seen for seen in observations if at_newest_end(order, seen))
    return max(first.column(order.key), default=MISSING)


def _low_id(observations: Sequence[Observation], since: int) -> int | None:
    """The highest id below those of all leads that may have been created since, less a margin."""
    lowest = min((lead for seen in observations for lead in _created_since(seen, since)), default=None)
    settled = max((_highest_below(seen, lowest) for seen in observations), default=MISSING)
    return None if settled == MISSING else settled - _MARGIN_IDS


def _created_since(seen: Observation, since: int) -> Iterable[int]:
    created = seen.column("created_time")
    # Most answers show nothing but leads of long ago, which the first look tells.
    if seen.highest("created_time") < since and len(seen.keys("created_time")) == len(created):
        return ()
    return (lead for lead, time in zip(seen.ids, created, strict=True) if time == MISSING or time >= since)


def _highest_below(seen: Observation, limit: int | None) -> int:
    highest = seen.highest("id")
    if limit is None or highest < limit:
        return highest
    return max((lead for lead in seen.ids if lead < limit), default=MISSING)
