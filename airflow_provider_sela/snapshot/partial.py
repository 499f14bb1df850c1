"""A read of what is new, as a dialogue like that of ``reading``: from the newest end down to a floor.

It passes through these stages, forwards only:

1. *probe*: the first page, which tells the server's cap and how the list is sorted.
2. *samples*: answers from inside the list, where another order would show.
3. *descent*: the newest end, and windows from there until one shows a lead below the floor. Where an order is
   still possible under which that would say nothing, more samples.
4. *close*: see ``closing``, whose proof has to reach no further than the floor: both ends again, the newest
   one last.

It ends with a verdict, PROVEN, or with a reason to read everything: it never says less.

**What it rests on.** The proof of ``proof`` holds for the part of an order between the newest end and the
floor, because nothing in it speaks of more. That everything new lies in this part follows from the order,
which another read has proven over the whole list, and which every answer here has to agree with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from enum import Enum, auto

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.anchor import CLOCKS_APART, Anchor, anchor_of, named_orders
from airflow_provider_sela.snapshot.attempts import LATENESS
from airflow_provider_sela.snapshot.closing import UNSORTED, Closing
from airflow_provider_sela.snapshot.descent import Descent, samples
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.proof import condition
from airflow_provider_sela.snapshot.reach import Reach, Scope
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Strength, Verdict
from airflow_provider_sela.snapshot.windows import Response, Window

OTHERWISE = "the list is sorted otherwise than the last full read found"
NO_END = "its newest end was not found where the server counts that it is"
WHOLE = "one answer holds the whole list"
MANY = "more than half of the list is new"
FUTURE = "the moment from which on is dated after now"
SMALL = "the pages are too small to overlap"

_SAMPLES = 2
"""Inside the list; with the other end, which is read last but one, at least three."""
_MORE_SAMPLES = 4
"""Where they do not tell enough, or where no read of the whole list has shown how it is sorted."""
_PHASES = 997
_SMALLEST = 4
"""Leads on a page, below which windows cannot overlap."""
_SPARE = 24
"""Requests for the end of a read, beside as many as went before."""
_SECOND = 1_000_000


class _Stage(Enum):
    PROBE = auto()
    SAMPLES = auto()
    DESCENT = auto()
    MORE = auto()
    CLOSE = auto()


class PartialReading:
    """A read of what is new.

    :param page_size: leads per request that are asked for.
    :param scope: ``changed`` or ``new``.
    :param reach: down to where.
    :param anchor: what the last load left; None where there was none, so that only this read tells how the
        list is sorted.
    :param lateness: as of :class:`~airflow_provider_sela.snapshot.reading.Reading`.

    :ivar verdict: PROVEN, or None while windows are wanted or out, or everything is to be read.
    :ivar refusal: why everything is to be read; empty while that is not so.
    """

    passes = 1

    def __init__(
        self,
        page_size: int,
        scope: Scope,
        reach: Reach,
        anchor: Anchor | None = None,
        *,
        lateness: Sequence[int] = LATENESS,
    ) -> None:
        self.verdict: Verdict | None = None
        self.refusal = ""
        self._scope = scope
        self._reach = reach
        self._anchor = anchor
        self._sworn = named_orders(anchor.orders) if anchor else []
        self._record = Record(page_size)
        self._closing = Closing(self._record, limit=0, lateness=lateness, reach=reach)
        self._lateness = lateness
        self._descent = Descent(self._record, reach, descending=True)
        self._samples = range(0)
        self._stage = _Stage.PROBE
        self._queue = [Window(1, page_size)]
        self._out: set[Window] = set()

    @property
    def over(self) -> bool:
        """Whether no window is wanted any more."""
        return self.verdict is not None or bool(self.refusal)

    @property
    def ids(self) -> Set[int]:
        """Ids of the leads that were read."""
        return self._record.known.keys()

    @property
    def expected(self) -> int | None:
        """Leads that are read in all; they cannot be told before."""
        return None

    @property
    def repaired(self) -> int:
        """Gaps between windows that were closed by further windows."""
        return self._closing.repaired

    def wanted(self) -> list[Window]:
        """Windows to request now; each is named once."""
        windows, self._queue = self._queue, []
        self._out.update(windows)
        return windows

    def record(self, response: Response) -> None:
        """Take the answer to a window."""
        self._out.remove(response.window)
        if response.gone:
            self._record.gone(response)
        else:
            seen, _ = self._record.add(response)
            if self._stage is _Stage.DESCENT:
                self._descent.answers.append(seen)
        if not self._out:
            self._queue = self._following()

    def missing(self, held: Set[int], known: int) -> str:
        """Why leads are missing from what the loads before have brought; empty where none is known to be.

        :param held: ids of this read's leads that they have brought.
        :param known: how many they have brought in all.
        """
        proofs, new = self._closing.proofs, self._record.known.keys() - held
        if not new.isdisjoint(self._below(proofs[0].order)):
            return "the list shows old leads that no load before has brought"
        counted = max(proof.closing.count for proof in proofs if proof.closing)
        known += len(new)
        return f"the server counts {counted} leads, and {known} are known" if counted > known else ""

    def anchor(self, held: Set[int], *, started: int, lookback: int) -> Anchor | None:
        """What this read leaves to the next one; None where it had none itself.

        :param held: as in :meth:`missing`.
        :param started: as in :func:`~airflow_provider_sela.snapshot.anchor.anchor_of`.
        """
        last, record = self._anchor, self._record
        if last is None:
            return None
        orders = [order for order in record.evidence.supported() if order in self._sworn]
        known = last.known + len(record.known.keys() - held)
        found = anchor_of(record, orders, started=started, lookback=lookback, known=known, full=last.full)
        return found and found.above(last)

    def _below(self, order: Order) -> list[int]:
        """Leads that are older than what was to be found."""
        oldest = self._reach.oldest(order)
        return [
            lead
            for seen in self._record.observations
            for lead, key in zip(seen.ids, seen.column(order.key), strict=True)
            if MISSING < key < oldest
        ]

    def _following(self) -> list[Window]:
        """What to read next, now that every answer is in."""
        objection = self._objection()
        if objection:
            return self._refuse(objection)
        steps: dict[_Stage, Callable[[], list[Window]]] = {
            _Stage.PROBE: self._after_probe,
            _Stage.SAMPLES: self._after_samples,
            _Stage.DESCENT: self._descend,
            _Stage.MORE: self._after_descent,
            _Stage.CLOSE: self._close,
        }
        return steps[self._stage]()

    def _after_probe(self) -> list[Window]:
        record = self._record
        first = record.observations[0]
        if not first.has_next:
            return self._refuse(WHOLE)
        if record.cap < _SMALLEST:
            return self._refuse(SMALL)
        if first.date is not None and self._reach.moment > first.date + CLOCKS_APART:
            return self._refuse(FUTURE)
        self._stage = _Stage.SAMPLES
        return self._sample(_SAMPLES if self._anchor else _SAMPLES + _MORE_SAMPLES)

    def _after_samples(self) -> list[Window]:
        self._stage = _Stage.DESCENT
        self._descent = Descent(self._record, self._reach, descending=self._descending)
        return self._descent.newest_end()

    def _descend(self) -> list[Window]:
        orders = [order for order in self._record.evidence.supported() if self._allows(order)]
        if not self._descent.answers:
            return self._descent.newest_end() or self._refuse(NO_END)
        if not self._descent.passed(orders):
            return self._descent.onward(orders[0]) or self._refuse(MANY)
        if self._ambiguity():
            self._stage = _Stage.MORE
            return self._sample(_MORE_SAMPLES)
        return self._after_descent()

    def _after_descent(self) -> list[Window]:
        self._stage = _Stage.CLOSE
        limit = 2 * self._record.requests + _SPARE
        self._closing = Closing(self._record, limit=limit, lateness=self._lateness, reach=self._reach)
        return self._close()

    def _close(self) -> list[Window]:
        windows, proofs = self._closing.wanted(), self._closing.proofs
        # What refutes an order refutes it while it is put to the proof.
        objection = self._objection() or self._ambiguity()
        if objection or not (windows or proofs):
            return self._refuse(objection or self._closing.flaw)
        if proofs:
            self.verdict = Verdict(Strength.PROVEN, str(proofs[0].order), self.passes, condition(proofs))
        return windows

    def _sample(self, number: int) -> list[Window]:
        self._samples = range(self._samples.stop, self._samples.stop + number)
        return samples(self._record, self._reach.moment // _SECOND % _PHASES / _PHASES, self._samples)

    @property
    def _descending(self) -> bool:
        """Whether rank 0 is the newest end, as the last load has proven, or as it looks."""
        left = self._record.evidence.supported()
        orders = self._sworn or [order for order in left if self._moves_what_is_new(order)]
        return bool(orders) and orders[0].descending

    def _moves_what_is_new(self, order: Order) -> bool:
        return order.mutable or self._scope is Scope.NEW

    def _allows(self, order: Order) -> bool:
        """Whether all that is new stands at the end that is read."""
        return order.descending is self._descending and self._moves_what_is_new(order)

    def _ambiguity(self) -> str:
        """Which orders are still possible under which something new may stand elsewhere; empty for none."""
        others = [order for order in self._record.evidence.supported() if not self._allows(order)]
        return f"the list may be sorted by {_or(others)}" if others else ""

    def _objection(self) -> str:
        """Why this read can come to no proof, as far as it is known."""
        record, left = self._record, self._record.evidence.supported()
        if not record.observations:
            return NO_END
        if record.doubt:
            return record.doubt
        if self._anchor and not any(order in self._sworn for order in left):
            return OTHERWISE
        if not any(map(self._allows, left)):
            return f"the list is sorted by {_or(left)}" if left else UNSORTED
        return ""

    def _refuse(self, reason: str) -> list[Window]:
        self.refusal = reason
        return []


def _or(orders: Sequence[Order]) -> str:
    return " or ".join(map(str, orders))
