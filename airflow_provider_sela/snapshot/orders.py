"""In which order the server sorts: hypotheses, and what answers contradict them.

An order is never assumed. Every response of two leads or more is a test of all of them, because a response
is one slice of the list at one moment: a single pair the wrong way round refutes the order for good.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import neg

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.windows import Entry, Key, Observation, Response, Window

Position = tuple[float, ...]
"""Place of a lead in an order, counted upwards from rank 0; a tuple, so that ties can be broken by id."""


@dataclass(frozen=True)
class Order:
    """A way to sort leads; ``str()`` is Django's spelling of it.

    :param key: the field.
    :param descending: whether the greatest comes first.
    :param ties: ``id`` or ``-id`` if leads with equal keys are sorted by it, empty if by nothing.
    """

    key: Key
    descending: bool
    ties: str = ""

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.key}{',' if self.ties else ''}{self.ties}"

    @property
    def mutable(self) -> bool:
        """Whether a lead may change its place: only ``modified_time`` moves, and only to the newest end."""
        return self.key == "modified_time"

    @property
    def unique(self) -> bool:
        """Whether no two leads can have the same position."""
        return self.key == "id" or bool(self.ties)

    @property
    def plain(self) -> Order:
        return Order(self.key, self.descending)

    def position(self, seen: Observation, index: int) -> Position | None:
        """Position of one lead of a response, None where it shows no key."""
        key = seen.column(self.key)[index]
        if key == MISSING:
            return None
        place = -key if self.descending else key
        if not self.ties:
            return (place,)
        return (place, -seen.ids[index] if self.ties == "-id" else seen.ids[index])

    def places(self, seen: Observation) -> list[Position]:
        """Positions of the leads of a response that show a key, in its order."""
        every = (self.position(seen, index) for index in range(len(seen.ids)))
        return [place for place in every if place is not None]

    def inside(self, seen: Observation, low: Position, high: Position) -> Sequence[int]:
        """Ranks in a response, which the order allows, of its leads whose place lies strictly between two."""
        column = seen.column(self.key)
        ranks: Sequence[int] = range(len(column))
        if len(seen.keys(self.key)) < len(column):
            ranks = [rank for rank in ranks if column[rank] != MISSING]
        elif not self.ties:
            # A read of many small windows asks this of each pair of neighbours.
            sign = neg if self.descending else None
            return ranks[bisect_right(column, low[0], key=sign) : bisect_left(column, high[0], key=sign)]

        def place(rank: int) -> Position:
            return self.position(seen, rank) or ()

        return ranks[bisect_right(ranks, low, key=place) : bisect_left(ranks, high, key=place)]

    def span(self, seen: Observation) -> tuple[Position, Position]:
        """The least and the greatest position in a response, which the order allows; both empty if it shows
        none."""
        if not self.ties:
            keys = seen.keys(self.key)
            sign = -1 if self.descending else 1
            return ((sign * keys[0],), (sign * keys[-1],)) if keys else ((), ())
        ranks = range(len(seen.ids))
        least = next((place for rank in ranks if (place := self.position(seen, rank))), ())
        return least, next((place for rank in reversed(ranks) if (place := self.position(seen, rank))), ())

    def allows(self, seen: Observation) -> bool:
        """Whether a response can come from a list in this order; leads without a key are passed over.

        Those have a place all the same, that of the key which the server holds and we cannot read. It needs
        no test: an interval between two keys that we can read holds them too.
        """
        shape = seen.shape(self.key)
        if not (shape.falling if self.descending else shape.rising):
            return False
        if shape.distinct or self.key == "id" or not self.ties:
            return shape.distinct or self.key != "id"
        places = self.places(seen)
        return places == sorted(places)

    def supported_by(self, seen: Observation) -> bool:
        """Whether a response shows two different keys. An order by a key that is missing or equal in all
        leads would never be contradicted, and says nothing."""
        keys = seen.keys(self.key)
        return bool(keys) and keys[0] != keys[-1]


_KEYS: tuple[Key, ...] = ("id", "created_time", "modified_time")
ORDERS = tuple(
    Order(key, descending, ties)
    for key in _KEYS
    for descending in (False, True)
    for ties in (("",) if key == "id" else ("", "id", "-id"))
)
"""Every order that is looked for, the preferred spelling first."""


class Evidence:
    """Orders that no response so far contradicts."""

    def __init__(self) -> None:
        self._alive = list(ORDERS)
        self._supported: set[Order] = set()

    def record(self, seen: Observation) -> None:
        """Test every order by a response. A lead shown twice in one slice contradicts them all."""
        if seen.twice:
            self._alive.clear()
        self._alive = [order for order in self._alive if order.allows(seen)]
        self._supported.update(order for order in self.plain() if order.supported_by(seen))

    def show(self, entries: Sequence[Entry]) -> None:
        """Test every order by the leads of an answer, of which nothing else is told."""
        window = Window(1, max(len(entries), 1))
        self.record(Observation(Response(window, entries, len(entries), False, None, 0, 0)))

    def refute(self, order: Order) -> None:
        """Drop an order that something else than a response contradicts, and its variants with ties."""
        self._alive = [other for other in self._alive if other.plain != order.plain]

    def plain(self) -> Iterator[Order]:
        """Orders that are left, without regard to ties."""
        return (order for order in self._alive if not order.ties)

    def supported(self) -> list[Order]:
        """Orders that are left and that some response supports, preferred first."""
        return [order for order in self.plain() if order in self._supported]

    def variants(self, order: Order) -> list[Order]:
        """An order and its ways to break ties that are left, the weakest assumption first."""
        return [other for other in self._alive if other.plain == order]

    def descending(self) -> bool | None:
        """Whether rank 0 is the newest end; None if no order is left."""
        left = self.supported() or list(self.plain())
        return left[0].descending if left else None


def observed_orders(answers: Iterable[Sequence[Entry]]) -> tuple[str, ...]:
    """Orders, in Django's spelling, that some answers of the list are consistent with.

    :param answers: the leads of each answer, in its own order. Two or more leads are needed to say anything.
    :return: such as ``("id", "created_time")``: the newest lead comes last; ``("-modified_time",)``: the lead
        changed last comes first; empty: none that we know.
    """
    evidence = Evidence()
    for entries in answers:
        evidence.show(entries)
    return tuple(str(order) for order in evidence.supported())
