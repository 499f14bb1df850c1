"""How far from the newest end a read of what is new goes."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from airflow_provider_sela.snapshot.coverage import Gap
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.windows import Observation


class Scope(StrEnum):
    """What a read brings of the list.

    ``full``: all leads. ``changed``: those that were created or changed since. ``new``: those that were
    created since.
    """

    FULL = "full"
    CHANGED = "changed"
    NEW = "new"


class Reach(NamedTuple):
    """The oldest keys that a read has to find.

    :param moment: of orders by a time, microseconds since the epoch.
    :param low_id: ids above it, of orders by id; None: it is not known, so that no read reaches it.
    """

    moment: int
    low_id: int | None = None

    def oldest(self, order: Order) -> float:
        """The oldest key under an order."""
        if order.key != "id":
            return self.moment
        return float("-inf") if self.low_id is None else self.low_id + 1

    def needs(self, order: Order, gap: Gap) -> bool:
        """Whether a gap leaves out a key that is to be found."""
        low, high = gap.ends
        return low[0] <= -self.oldest(order) if order.descending else high[0] >= self.oldest(order)

    def passed(self, order: Order, seen: Observation) -> bool:
        """Whether a response from the newest end shows a lead that is older than all that are to be found."""
        return min(seen.keys(order.key), default=self.oldest(order)) < self.oldest(order)
