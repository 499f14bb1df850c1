"""For each order that is left, the best proof that the answers allow.

A change may show later than it is dated: its transaction lasts, and clocks differ. The later it may, the less
a window of a list sorted by ``modified_time`` proves. So each order is tried with several latenesses, and the
greatest counts under which it is proven.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_sela.snapshot.contradictions import contradicted
from airflow_provider_sela.snapshot.coverage import Gap
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.proof import Proof, prove
from airflow_provider_sela.snapshot.reach import Reach
from airflow_provider_sela.snapshot.record import Record

LATENESS = tuple(int(seconds * 1_000_000) for seconds in (30, 10, 5, 2, 1, 0.25))
"""By how much a change may show later than it is dated, in microseconds, greatest first."""

ENOUGH = 5_000_000
"""Microseconds of lateness that are worth more requests: transactions of a web request seldom last longer."""


class Attempts:
    """Proofs of a read.

    :param record: what was read.
    :param lateness: microseconds by which a change may show later than it is dated, greatest first.
    :param reach: how far from the newest end they are to reach; default: to the other end.
    """

    def __init__(self, record: Record, lateness: Sequence[int], reach: Reach | None = None) -> None:
        self._record = record
        self._reach = reach
        self._lateness = lateness
        self._target = min((late for late in lateness if late >= ENOUGH), default=max(lateness))
        self._refuted: dict[Order, int] = {}

    def best(self) -> list[Proof]:
        """A proof for each order that is left: the complete one that allows for the most lateness, else the
        one that allows for the least. Orders that are contradicted under each are refuted."""
        evidence = self._record.evidence
        while orders := evidence.supported():
            proofs = {order: self._best(order) for order in orders}
            for order, proof in proofs.items():
                if proof is None:
                    evidence.refute(order)
            if None not in proofs.values():
                return [proof for proof in proofs.values() if proof is not None]
        return []

    def for_more(self, proofs: Sequence[Proof]) -> Proof | None:
        """The proof that enough lateness would take, of the order that these allow the least; None if that
        is enough."""
        moving = [proof for proof in proofs if proof.order.mutable]
        weakest = min(moving, key=lambda proof: proof.lateness, default=None)
        if weakest is None or weakest.lateness >= self._target:
            return None
        return self._proof(weakest.order.plain, self._target)

    def hold(self, proofs: Sequence[Proof]) -> bool:
        """Whether proofs of some time ago are of every order that is left, and nothing contradicts them."""
        left = self._record.evidence.supported()
        return (
            bool(proofs)
            and [proof.order.plain for proof in proofs] == left
            and not any(map(self._lies, proofs))
        )

    def _best(self, order: Order) -> Proof | None:
        refuted = self._refuted.get(order, -1)
        left = [lateness for lateness in (self._lateness if order.mutable else (0,)) if lateness > refuted]
        unfinished = None
        for lateness in left:
            proof = self._proof(order, lateness)
            if not proof.flaw:
                if not self._lies(proof):
                    return proof
                # What contradicts it contradicts each that allows for less.
                self._refuted[order] = lateness
                break
            if lateness == left[0] != left[-1] and (least := self._proof(order, left[-1])).flaw:
                # Allowing for more lacks all that this one lacks.
                return least
            unfinished = proof
        return unfinished

    def _lies(self, proof: Proof) -> bool:
        return contradicted(proof, self._record.observations)

    def _proof(self, order: Order, lateness: int) -> Proof:
        """The proof without regard to ties, or with it if nothing but blocks of ties is left that no window
        can bridge."""
        record = self._record
        # Of an order that no change touches, nothing asks for them.
        floors = Floors(record.observations if order.mutable else (), lateness)
        proofs = (
            prove(variant, record.observations, floors, record.shows_unknown, len(record.known), self._reach)
            for variant in record.evidence.variants(order)
        )
        plain = next(proofs)
        if plain.gaps and all(gap.tied and self._fills_a_page(order, gap) for gap in plain.gaps):
            return next((proof for proof in proofs if not proof.gaps), plain)
        return plain

    def _fills_a_page(self, order: Order, gap: Gap) -> bool:
        """Whether some response shows nothing but leads with the key that a gap is about."""
        key = gap.ends[0]
        return any(
            len(seen.ids) > 1 and order.position(seen, 0) == order.position(seen, -1) == key
            for seen in self._record.observations
        )
