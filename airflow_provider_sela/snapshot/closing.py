"""The end of a read: gaps are repaired, the ends made sure of, and the newest end is read last.

Every step asks for the first thing that the proof lacks:

* windows over the gaps, all at once;
* both ends at once, if anything but the ends was read after the oldest. The proof needs no answer from there,
  but leads that jump there, in a list that only looks sorted, are seen there;
* the newest end, if anything but an end was read after it;
* the end of the list, if it is not believed. Newest first, a response from the newest end must follow it: a
  pair of requests with no arrival in between, which is why nothing else is asked for at that time;
* more lateness, if the proof allows for little (see ``attempts``).

Changes lift leads over the floor while all this is going on. It converges because each response from the
newest end is also a new, higher floor, under which the windows that follow are proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from airflow_provider_sela.snapshot.attempts import Attempts
from airflow_provider_sela.snapshot.orders import Order, Position
from airflow_provider_sela.snapshot.plan import OVERLAP, front
from airflow_provider_sela.snapshot.proof import Proof, at_an_end, at_oldest_end
from airflow_provider_sela.snapshot.reach import Reach
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.repair import repairs
from airflow_provider_sela.snapshot.windows import Window

UNSORTED = "the list is not sorted by id, created_time or modified_time"
INDISTINCT = "the leads show no id or time by which an order could be told"

_MORE = 4
"""Requests for more lateness, once there is a proof for less."""
_MOST_REPEATS = 6
"""Times that a question is asked whose answer changes nothing: without a write the next says the same."""
_STUBBORN = 8
"""Tries at one gap, beyond which others come first and it is left."""


class Closing:
    """Leads a read from the last of its windows to a proof, or to the reason why there is none.

    :param record: what was read.
    :param limit: requests after which it gives up.
    :param lateness: microseconds by which a change may show later than it is dated, greatest first.
    :param reach: how far from the newest end the proof is to reach; default: to the other end.

    :ivar proofs: of every order that is left; empty until they are complete.
    :ivar flaw: why it was given up, empty until then.
    :ivar repaired: gaps that were closed.
    """

    def __init__(
        self, record: Record, *, limit: int, lateness: Sequence[int], reach: Reach | None = None
    ) -> None:
        self.proofs: Sequence[Proof] = ()
        self.flaw = ""
        self.repaired = 0
        self._record = record
        self._limit = limit
        self._attempts = Attempts(record, lateness, reach)
        self._in_hand: Sequence[Proof] = ()
        self._more = _MORE
        self._tries: dict[tuple[Position, Position], int] = {}
        self._open = 0
        self._asked: tuple[object, ...] = ()
        self._in_vain = 0

    def wanted(self) -> list[Window]:
        """Windows to read next; empty when there are proofs or a flaw."""
        record = self._record
        if record.doubt:
            return self._give_up(record.doubt)
        if not record.honoured:
            smaller = front(record.cap // 2, record.asked)
            return self._ask([smaller], "the server gave no page of the size asked for")
        proofs = self._attempts.best()
        if not proofs:
            return self._give_up(INDISTINCT if any(record.evidence.plain()) else UNSORTED)
        unfinished = next((proof for proof in proofs if proof.flaw), None)
        if unfinished is None:
            self._in_hand = proofs
        elif not self._attempts.hold(self._in_hand):
            return self._mend(unfinished)
        return self._ask_for_more()

    def _ask_for_more(self) -> list[Window]:
        """Windows that may make more of the proofs in hand; without any they are accepted."""
        unguarded = next((proof for proof in self._in_hand if not self._is_guarded(proof)), None)
        if unguarded is not None:
            return self._ask([self._ends(unguarded.order)[1]], "the ends of the list could not be read last")
        better = self._attempts.for_more(self._in_hand) if self._more else None
        windows = self._mend(better) if better is not None else []
        if 0 < len(windows) <= self._more:
            self._more -= len(windows)
            return windows
        self._settle(0)
        self.proofs, self.flaw = self._in_hand, ""
        return []

    def _is_guarded(self, proof: Proof) -> bool:
        """Whether the oldest end was read after all windows of a proof but the ends."""
        return self._guards(proof.order, proof.closing.started if proof.closing else 0)

    def _guards(self, order: Order, tick: float) -> bool:
        """Whether the oldest end was read after all windows but the ends that were answered before a tick."""
        observations = self._record.observations
        inside = (seen.ended for seen in observations if seen.ended < tick and not at_an_end(seen))
        last = max(inside, default=-1)
        return any(seen.started > last and at_oldest_end(order, seen) for seen in observations)

    def _ends(self, order: Order) -> tuple[Window, Window]:
        """Windows of the newest and of the oldest end."""
        first, last = self._record.ends()
        return (first, last) if order.descending else (last, first)

    def _mend(self, proof: Proof) -> list[Window]:
        self._settle(len(proof.gaps))
        if proof.repairable:
            return self._ask(self._repairs(proof), proof.flaw, proof)
        newest, oldest = self._ends(proof.order)
        if proof.covered and not self._is_guarded(proof):
            return self._ask([oldest], proof.flaw, proof)
        if proof.covered or (proof.floor is None and self._could_have_floor()):
            return self._give_up(proof.flaw)
        if not self._guards(proof.order, inf):
            # A proof needs no answer from the oldest end, so neither waits for the other.
            return self._ask(list(dict.fromkeys([oldest, newest])), proof.flaw, proof)
        if not proof.last or proof.gaps or not proof.order.descending:
            return self._ask([newest], proof.flaw, proof)
        return self._ask([oldest], proof.flaw, proof)

    def _could_have_floor(self) -> bool:
        """Whether a request was sent after an answer: where nobody has measured what requests took, no answer
        tells a floor otherwise."""
        observations = self._record.observations
        return max(seen.started for seen in observations) > min(seen.ended for seen in observations)

    def _repairs(self, proof: Proof) -> list[Window]:
        """Windows over all gaps that are met for the first time; else over the one least often tried, alone,
        because a list that moves too fast for many requests at a time holds still for one."""
        record, tries = self._record, self._tries
        chosen = [gap for gap in proof.repairable if gap.ends not in tries]
        chosen = chosen or [min(proof.repairable, key=lambda gap: tries[gap.ends])]
        if tries.get(chosen[0].ends, 0) > _STUBBORN:
            return []
        windows: dict[Window, None] = {}
        planned = repairs(
            proof, chosen, cap=record.cap, overlap=OVERLAP, count=record.length, asked=record.asked
        )
        for each in planned:
            tries[each.gap.ends] = tries.get(each.gap.ends, 0) + 1
            windows.update(dict.fromkeys(each.windows))
        return list(windows)

    def _settle(self, still_open: int) -> None:
        self.repaired += max(self._open - still_open, 0)
        self._open = still_open

    def _ask(self, windows: list[Window], flaw: str, proof: Proof | None = None) -> list[Window]:
        """Ask for windows, unless too much was asked for already, or as often as that in vain."""
        record = self._record
        state = proof and (proof.floor, [gap.ends for gap in proof.gaps])
        asked = flaw, record.count, len(record.known), state
        self._in_vain = self._in_vain + 1 if asked == self._asked else 0
        self._asked = asked
        if not windows or self._in_vain >= _MOST_REPEATS or record.requests + len(windows) > self._limit:
            return self._give_up(flaw)
        return windows

    def _give_up(self, flaw: str) -> list[Window]:
        self.flaw = flaw
        return []
