"""Which stretches of an order the windows hold between them, and where they leave a gap.

A response is a window of ranks of the list at one moment. If the list is sorted by a key, the response holds
*every* lead whose key lies strictly between its outermost two, because a lead with such a key could have no
rank outside the window. Nothing is said about leads that share an outermost key: those may continue outside.

So stretches are open at both ends, and two of them join only if they overlap. Where positions are unique
the outermost leads belong to the stretch; it is then written with ends one step further out, which lets
consecutive ids join: nothing fits between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from airflow_provider_sela.snapshot.orders import Order, Position
from airflow_provider_sela.snapshot.windows import Observation

BOTTOM: Position = (-inf,)
TOP: Position = (inf,)


class Stretch(NamedTuple):
    """Positions strictly between ``low`` and ``high``, of which a response holds every lead.

    :param low: where it begins; ``BOTTOM`` for a window that began at rank 0.
    :param high: where it ends; ``TOP`` for one that certainly reached the end of the list.
    :param first: rank of its first lead when it was seen.
    :param last: rank of its last lead when it was seen.
    :param seen: the response.
    """

    low: Position
    high: Position
    first: int
    last: int
    seen: Observation


@dataclass(frozen=True, slots=True)
class Gap:
    """Positions between two stretches, of which nothing is known; None stands for an end of the list."""

    below: Stretch | None
    above: Stretch | None

    @property
    def ends(self) -> tuple[Position, Position]:
        return (self.below.high if self.below else BOTTOM, self.above.low if self.above else TOP)

    @property
    def tied(self) -> bool:
        """Whether nothing but leads with one and the same key can be missing."""
        return self.ends[0] == self.ends[1]


def stretch(
    order: Order, seen: Observation, *, ends: bool, below: float = inf, newest: bool = True
) -> Stretch | None:
    """The stretch that a response proves under an order, None if it proves none.

    :param order: the order.
    :param seen: the response.
    :param ends: whether the response is known to reach the end of the list.
    :param below: only keys below this one count (see ``floors``).
    :param newest: whether it reaches to the newest end, if the response does. Leads that were added since are
        not among those it must hold, but the server counts them.
    """
    least, greatest = low, high = order.span(seen)
    if not low:
        return None
    if order.unique:
        low, high = _shifted(low, -1), _shifted(high, 1)
    if seen.window.offset == 0 and (newest or not order.descending):
        low = BOTTOM
    if ends and (newest or order.descending):
        high = TOP
    if order.descending:
        low = max(low, (-below, inf)) if below < inf else low
    else:
        high = min(high, (below,))
    if low >= high:
        return None
    first, last = 0, len(seen.ids) - 1
    while low > least and first < last and (order.position(seen, first) or low) < low:
        first += 1
    while high < greatest and first < last and (order.position(seen, last) or high) > high:
        last -= 1
    return Stretch(low, high, seen.window.offset + first, seen.window.offset + last, seen)


def gaps(stretches: Iterable[Stretch]) -> list[Gap]:
    """What is missing between the stretches, from one end of the list to the other."""
    missing: list[Gap] = []
    reached: Stretch | None = None
    for following in sorted(stretches, key=lambda each: each.low):
        frontier = reached.high if reached else None
        if following.low != BOTTOM and (frontier is None or following.low >= frontier):
            missing.append(Gap(reached, following))
        if frontier is None or following.high > frontier:
            reached = following
    if reached is None or reached.high != TOP:
        missing.append(Gap(reached, None))
    return missing


def _shifted(place: Position, by: int) -> Position:
    return (*place[:-1], place[-1] + by)
