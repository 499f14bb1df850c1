"""Whether the responses of a read prove, under one order, that no lead which existed throughout is missing.

**Argument.** Let L be a lead that existed throughout, C the closing response (the last one at the newest
end, sent after all others used here were answered), and k the position of L at the moment of C.

* k lies in C's stretch: L is in C.
* Otherwise k lies in the stretch of an earlier window w, because the stretches leave no gap. If the order
  cannot change, L was at k at the moment of w, so L is in w. If it is by ``modified_time``, that stretch was
  cut off at w's floor: a write to L after the floor's response would have lifted it to the floor or above,
  where it would be still at the moment of C; k is below, so L was at k at the moment of w, and is in w.

**The two ends.** A window that began at rank 0 holds the first lead. The last one is harder: such servers
count first and then take rows up to that count. If n leads more were added than deleted in between, the last
n rows are cut off although ``next`` is null. The end is believed if one of these holds:

* The response is *short*: fewer rows than its own count allows. The list itself ended there.
* Newest last: the response shows no lead that was unknown when its request was sent. At least n leads
  were added in between and stand at this end; none of them is shown, so they are exactly the n cut off.
* Newest first: after it a response from the newest end, no larger in count, shows no lead that was unknown
  when the first request was sent. Had one been added in between, it would stand there. (Assumed: a lead is
  not created and deleted again within two requests.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from airflow_provider_sela.snapshot.coverage import Gap, Stretch, gaps, stretch
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.reach import Reach
from airflow_provider_sela.snapshot.windows import Observation

Unknown = Callable[[Observation, int], bool]
"""Whether a response shows a lead that no answer before a tick had shown."""


@dataclass(frozen=True)
class Proof:
    """How far a proof has come.

    :param order: the order it assumes.
    :param closing: the last response from the newest end, None if there is none.
    :param last: whether it was sent after all others were answered. Later reads of an end are passed over:
        they prove nothing here, and may contradict the order.
    :param stretches: what the windows prove.
    :param gaps: what they leave out, the end of the list aside.
    :param ended: whether the end of the list was read and is believed.
    :param floor: key below which a window read now would prove something: infinite for an order that cannot
        change, None if there is none.
    :param known: distinct ids seen.
    :param lateness: microseconds by which a change may show later than it is dated; 0 for an order that no
        change touches.
    :param length: length of the list at the end of the read.
    """

    order: Order
    closing: Observation | None
    last: bool
    stretches: Sequence[Stretch]
    gaps: Sequence[Gap]
    ended: bool
    floor: float | None
    known: int
    lateness: int
    length: int

    @property
    def covered(self) -> bool:
        """Whether it is the proof that no lead which existed throughout is missing."""
        return self.floor is not None and not self.gaps and self.last and self.ended

    @property
    def uncounted(self) -> int:
        """Leads that the server counts and no answer shows."""
        return max(self.length - self.known, 0)

    @property
    def repairable(self) -> list[Gap]:
        """Gaps that lie below the floor, wholly or in part. Above it only the newest end helps."""
        if self.floor is None:
            return []
        if self.order.descending:
            return [gap for gap in self.gaps if gap.ends[1] > (-self.floor, inf)]
        return [gap for gap in self.gaps if gap.ends[0] < (self.floor,)]

    @property
    def flaw(self) -> str:
        """Why this is no proof, in words for a log line; empty if it is one."""
        if self.floor is None:
            return f"sorted by {self.order}, but the answers show no Date header or no modified_time"
        if self.gaps:
            return f"sorted by {self.order}, but windows leave gaps ({len(self.gaps)}) that did not close"
        if self.closing is None or not self.last:
            return f"sorted by {self.order}, but its newest end could not be read last"
        if not self.ended:
            return f"sorted by {self.order}, but arrivals never paused long enough to be sure of its end"
        if self.uncounted:
            return f"sorted by {self.order}, but the server counts more leads than it shows"
        return ""


def prove(
    order: Order,
    observations: Sequence[Observation],
    floors: Floors,
    unknown: Unknown,
    known: int,
    reach: Reach | None = None,
) -> Proof:
    """Evaluate a proof under one order.

    :param order: the order, contradicted by none of the responses.
    :param observations: all responses of the read; the server honoured every ``page_size``.
    :param floors: of the same responses.
    :param unknown: see :data:`Unknown`.
    :param known: distinct ids seen.
    :param reach: how far from the newest end the proof is to reach; default: to the other end.
    """
    evaluation = _Evaluation(order, floors, unknown, known, reach)
    fronts = (seen for seen in observations if at_newest_end(order, seen))
    closing = max(fronts, key=lambda seen: seen.started, default=None)
    later = [
        seen for seen in observations if closing and seen.ended >= closing.started and seen is not closing
    ]
    if closing and later and all(at_an_end(seen) for seen in later):
        before = [seen for seen in observations if seen is closing or seen.ended < closing.started]
        proof = evaluation.of(before, closing, last=True)
        if proof.covered:
            return proof
    return evaluation.of(observations, closing, last=closing is not None and not later)


@dataclass(frozen=True)
class _Evaluation:
    """What is the same for all responses that a proof may be made of."""

    order: Order
    floors: Floors
    unknown: Unknown
    known: int
    reach: Reach | None

    def of(self, used: Sequence[Observation], closing: Observation | None, *, last: bool) -> Proof:
        # What the server counts is more than a part of it has.
        length = 0 if self.reach else _length(closing, used)
        proven = self._stretches(used, closing, newest=True)
        missing = [gap for gap in gaps(proven) if self.reach is None or self.reach.needs(self.order, gap)]
        if length > self.known and not missing:
            # More than a page of leads was added since the newest end was read before: they are counted too.
            proven = self._stretches(used, closing, newest=False)
            missing = gaps(proven)
        mutable = self.order.mutable
        return Proof(
            self.order,
            closing,
            last,
            proven,
            gaps=[gap for gap in missing if gap.above is not None],
            ended=all(gap.above is not None for gap in missing),
            floor=self.floors.highest if mutable else inf,
            known=self.known,
            lateness=self.floors.lateness if mutable else 0,
            length=length,
        )

    def _stretches(
        self, used: Sequence[Observation], closing: Observation | None, *, newest: bool
    ) -> list[Stretch]:
        order, floors = self.order, self.floors
        fronts = [seen for seen in used if at_newest_end(order, seen)]
        proven = []
        for seen in used:
            limit = floors.of(seen) if order.mutable and seen is not closing else inf
            if limit is None:
                continue
            ends = seen.claims_end and _ends(order, seen, fronts, floors, self.unknown)
            open_end = newest or seen is closing
            proven.append(stretch(order, seen, ends=ends, below=limit, newest=open_end))
        return [each for each in proven if each is not None]


def at_an_end(seen: Observation) -> bool:
    """Whether a response holds either end of the list."""
    return seen.window.page == 1 or seen.claims_end


def at_newest_end(order: Order, seen: Observation) -> bool:
    """Whether a response holds the end of the list at which new leads appear."""
    return seen.window.page == 1 if order.descending else seen.claims_end


def at_oldest_end(order: Order, seen: Observation) -> bool:
    """Whether a response holds the end of the list at which no lead is new."""
    return seen.claims_end if order.descending else seen.window.page == 1


def _length(closing: Observation | None, used: Sequence[Observation]) -> int:
    """Length of the list as it was shown last, if its last page was shorter than its count allows, else as it
    was counted last."""
    if closing is None or closing.claims_end:
        return closing.length if closing else 0
    tail = max((seen for seen in used if seen.claims_end), key=lambda seen: seen.started, default=None)
    return tail.length if tail is not None and tail.short else closing.length


def _ends(
    order: Order, seen: Observation, fronts: Sequence[Observation], floors: Floors, unknown: Unknown
) -> bool:
    """Whether the end that a response claims is believed."""
    if seen.short:
        return True
    if not order.descending:
        return not unknown(seen, seen.started)
    return any(
        front.started > seen.ended
        and front.count <= seen.count
        and _shows_arrivals(order, front, seen, floors)
        and not unknown(front, seen.started)
        for front in fronts
    )


def _shows_arrivals(order: Order, front: Observation, since: Observation, floors: Floors) -> bool:
    """Whether a response from the newest end reaches so far that it holds every lead added after ``since``.

    A lead that was changed or added since stands at ``since``'s floor or above. Where keys do not change,
    only added leads stand above the known ones, and the first lead that is not one of them bounds them.
    """
    if not order.mutable:
        return True
    floor = floors.of(since)
    return floor is not None and front.oldest < floor


def condition(proofs: Sequence[Proof]) -> str:
    """What the proofs of all orders that are left take for granted besides, in words; empty if nothing."""
    late = [proof.lateness for proof in proofs if proof.order.mutable]
    words = [f"given that a change shows within {min(late) / 1e6:g} s of its modified_time"] if late else []
    return "; ".join(words)
