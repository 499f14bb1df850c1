"""The end of a read: gaps are repaired, the ends made sure of, and the newest end is read last.

Every step asks for the first thing that the proof lacks:

* the newest end, if anything was read after it;
* windows over the gaps, all at once;
* the end of the list, if it is not believed. Newest first, a response from the newest end must follow it: a
  pair of requests with no arrival in between, which is why nothing else is asked for at that time.

Changes lift leads over the floor while all this is going on. It converges because each response from the
newest end is also a new, higher floor, under which the windows that follow are proven.
"""

from __future__ import annotations

from airflow_provider_sela.snapshot.contradictions import contradicted
from airflow_provider_sela.snapshot.coverage import Gap
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.orders import Order, Position
from airflow_provider_sela.snapshot.plan import OVERLAP, tail
from airflow_provider_sela.snapshot.proof import Proof, prove
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.repair import repairs
from airflow_provider_sela.snapshot.windows import Window

UNSORTED = "the list is not sorted by id, created_time or modified_time"
INDISTINCT = "the leads show no id or time by which an order could be told"
_STUBBORN = 8


class Closing:
    """Leads a read from its spread to a proof, or to the reason why there is none.

    :param record: what was read.
    :param limit: requests after which it gives up.
    :param lateness: see :class:`Floors`.

    :ivar order: the order under which the read is proven, None until then.
    :ivar flaw: why it was given up, empty until then.
    :ivar repaired: gaps that were closed.
    """

    def __init__(self, record: Record, *, limit: int, lateness: int) -> None:
        self.order: Order | None = None
        self.flaw = ""
        self.repaired = 0
        self._record = record
        self._limit = limit
        self._lateness = lateness
        self._tries: dict[tuple[Position, Position], int] = {}
        self._open = 0

    def wanted(self) -> list[Window]:
        """Windows to read next; empty when there is an order or a flaw."""
        record = self._record
        if record.ignored:
            return self._give_up("the server ignores page_size, so windows cannot overlap")
        if not record.honoured:
            return self._ask([Window(1, record.cap // 2)], "the server gave no page of the size asked for")
        while orders := record.evidence.supported():
            proofs = self._proofs(orders)
            unfinished = next((proof for proof in proofs if proof.flaw), None)
            if unfinished is not None:
                return self._mend(unfinished)
            lies = [proof.order for proof in proofs if contradicted(proof, record.observations)]
            if not lies:
                self._settle(0)
                self.order = proofs[0].order
                return []
            for order in lies:
                record.evidence.refute(order)
        return self._give_up(INDISTINCT if any(record.evidence.plain()) else UNSORTED)

    def _proofs(self, orders: list[Order]) -> list[Proof]:
        floors = Floors(self._record.observations, self._lateness)
        return [self._proof(order, floors) for order in orders]

    def _proof(self, order: Order, floors: Floors) -> Proof:
        """The proof without regard to ties, or with it if nothing but blocks of ties is left that no window
        can bridge."""
        record = self._record
        proofs = (
            prove(variant, record.observations, floors, record.shows_unknown, len(record.known))
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

    def _mend(self, proof: Proof) -> list[Window]:
        record = self._record
        end = tail(record.length, record.cap)
        self._settle(len(proof.gaps))
        if proof.repairable:
            return self._ask(self._repairs(proof), proof.flaw)
        if proof.floor is None:
            return self._give_up(proof.flaw)
        if proof.last and not proof.gaps:
            return self._ask([end], proof.flaw)
        return self._ask([Window(1, record.cap) if proof.order.descending else end], proof.flaw)

    def _repairs(self, proof: Proof) -> list[Window]:
        """Windows over all gaps that are met for the first time; else over the one least often tried, alone,
        because a list that moves too fast for many requests at a time holds still for one."""
        record, tries = self._record, self._tries
        chosen = [gap for gap in proof.repairable if gap.ends not in tries]
        chosen = chosen or [min(proof.repairable, key=lambda gap: tries[gap.ends])]
        if tries.get(chosen[0].ends, 0) > _STUBBORN:
            return []
        windows: dict[Window, None] = {}
        for each in repairs(proof, chosen, cap=record.cap, overlap=OVERLAP, count=record.length):
            tries[each.gap.ends] = tries.get(each.gap.ends, 0) + 1
            windows.update(dict.fromkeys(each.windows))
        return list(windows)

    def _settle(self, still_open: int) -> None:
        self.repaired += max(self._open - still_open, 0)
        self._open = still_open

    def _ask(self, windows: list[Window], flaw: str) -> list[Window]:
        if not windows or self._record.requests + len(windows) > self._limit:
            return self._give_up(flaw)
        return windows

    def _give_up(self, flaw: str) -> list[Window]:
        self.flaw = flaw
        return []
