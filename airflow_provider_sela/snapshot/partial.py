"""A read of what is new, as a dialogue like that of ``reading``: from the newest end down to a floor.

It passes through these stages, forwards only:

1. *probe*: the first page, which tells the server's cap and how the list is sorted.
2. *descent*: windows from the newest end until one shows a lead below the floor, each named when somebody
   has time for it. At the same time *samples*: answers from inside the list, where another order would show.
   Where an order is then still possible under which that would say nothing, more samples. What the last load
   tells of the list is enough for samples, and the second window, to be asked for along with the first page.
3. *close*: see ``closing``, whose proof has to reach no further than the floor: both ends, last.

It ends with a verdict, PROVEN, or with a reason to read everything: it never says less.

**What it rests on.** The proof of ``proof`` holds for the part of an order between the newest end and the
floor, because nothing in it speaks of more. That everything new lies in this part follows from the order,
which another read has proven over the whole list, and which every answer here has to agree with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import partial

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.anchor import CLOCKS_APART, Anchor, anchor_of, named_orders
from airflow_provider_sela.snapshot.attempts import LATENESS
from airflow_provider_sela.snapshot.closing import UNSORTED, Closing
from airflow_provider_sela.snapshot.descent import Descent, next_to_first
from airflow_provider_sela.snapshot.orders import Order
from airflow_provider_sela.snapshot.proof import Proof, condition
from airflow_provider_sela.snapshot.reach import Reach, Scope
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.samples import Samples
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
_SMALLEST = 4
"""Leads on a page, below which windows cannot overlap."""
_SPARE = 24
"""Requests for the end of a read, beside as many as went before."""


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
    :ivar repaired: gaps between windows that were closed by further windows.
    """

    passes = 1
    repaired = 0

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
        self._proven = named_orders(anchor.orders) if anchor else []
        self._record = Record(page_size)
        self._lateness = lateness
        self._samples = Samples(reach.moment)
        self._early: list[Response] = []
        self._proofs: Sequence[Proof] = ()
        self._descent: Descent | None = None
        self._following: Callable[[], list[Window]]
        self._probe = Window(1, page_size)
        self._queue = [self._probe]
        self._spare: list[Window] = []
        self._second: Window | None = None
        self._out: set[Window] = set()
        if anchor:
            self._foresee(anchor, page_size)

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

    def wanted(self) -> list[Window]:
        """Windows to request now, each named once; who has time for more while they are out asks again."""
        windows, self._queue = self._queue, []
        if self._descent and not windows:
            windows = self._descent.onward(self._allowed(), self._out)
        elif self._probe in self._out and not windows:
            windows, self._spare = self._spare, []
        self._out.update(windows)
        return windows

    def record(self, response: Response) -> None:
        """Take the answer to a window."""
        self._out.remove(response.window)
        probing = not self._record.requests
        if probing and response.window != self._probe:
            # What it says of the cap and of the list's length is said by the first page first.
            self._early.append(response)
            return
        for each in (response, *self._early):
            self._take(each)
        self._early = []
        if objection := self._objection():
            self._queue = self._refuse(objection)
        elif probing:
            self._queue = self._after_probe()
        if not (self.over or self._out or self._queue):
            self._queue = self._following()

    def _foresee(self, anchor: Anchor, page_size: int) -> None:
        """Find what can be asked for along with the first page: samples, and the second window for who has
        time."""
        cap = min(anchor.cap or 0, page_size)
        samples = self._samples.foreseen(_SAMPLES, anchor.known, cap)
        self._queue += samples
        if samples and self._descending:
            self._second = next_to_first(cap)
        if self._second and self._second not in samples:
            self._spare = [self._second]

    def _take(self, response: Response) -> None:
        seen = None
        if response.gone:
            self._record.gone(response)
        else:
            seen, _ = self._record.add(response)
        self._samples.record(response.window, seen)
        if self._descent:
            self._descent.record(response.window, seen)

    def missing(self, held: Set[int], known: int) -> str:
        """Why leads are missing from what the loads before have brought; empty where none is known to be.

        :param held: ids of this read's leads that they have brought.
        :param known: how many they have brought in all.
        """
        proofs, new = self._proofs, self._record.known.keys() - held
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
        orders = [order for order in record.evidence.supported() if order in self._proven]
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

    def _after_probe(self) -> list[Window]:
        record = self._record
        first = record.observations[0]
        if not first.has_next:
            return self._refuse(WHOLE)
        if record.cap < _SMALLEST:
            return self._refuse(SMALL)
        if first.date is not None and self._reach.moment > first.date + CLOCKS_APART:
            return self._refuse(FUTURE)
        second, self._spare = (None if self._spare else self._second), []
        descent = Descent(record, self._reach, descending=self._descending, second=second)
        self._descent, self._following = descent, partial(self._descend, descent)
        number = _SAMPLES if self._anchor else _SAMPLES + _MORE_SAMPLES
        return self._samples.more(number - self._samples.asked, record)

    def _descend(self, descent: Descent) -> list[Window]:
        allowed = self._allowed()
        if windows := descent.onward(allowed, self._out):
            return windows
        if not descent.answers:
            return self._refuse(NO_END)
        if not descent.passed(allowed):
            return self._refuse(MANY)
        self._descent, self._following = None, self._after_descent
        more = _MORE_SAMPLES if self._ambiguity() else self._samples.in_vain
        return self._samples.more(more, self._record) if more else self._after_descent()

    def _after_descent(self) -> list[Window]:
        limit = 2 * self._record.requests + _SPARE
        closing = Closing(self._record, limit=limit, lateness=self._lateness, reach=self._reach)
        self._following = partial(self._close, closing)
        return self._following()

    def _close(self, closing: Closing) -> list[Window]:
        windows, self._proofs, self.repaired = closing.wanted(), closing.proofs, closing.repaired
        # What refutes an order refutes it while it is put to the proof.
        objection = self._objection() or self._ambiguity()
        if objection or not (windows or self._proofs):
            return self._refuse(objection or closing.flaw)
        if self._proofs:
            order, given = str(self._proofs[0].order), condition(self._proofs)
            self.verdict = Verdict(Strength.PROVEN, order, self.passes, given)
        return windows

    @property
    def _descending(self) -> bool:
        """Whether rank 0 is the newest end, as the last load has proven, or as it looks."""
        left = self._record.evidence.supported()
        orders = self._proven or [order for order in left if self._moves_what_is_new(order)]
        return bool(orders) and orders[0].descending

    def _moves_what_is_new(self, order: Order) -> bool:
        return order.mutable or self._scope is Scope.NEW

    def _allows(self, order: Order) -> bool:
        """Whether all that is new stands at the end that is read."""
        return order.descending is self._descending and self._moves_what_is_new(order)

    def _allowed(self) -> list[Order]:
        """Orders that are possible and under which all that is new stands at the end that is read."""
        return [order for order in self._record.evidence.supported() if self._allows(order)]

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
        if self._anchor and not any(order in self._proven for order in left):
            return OTHERWISE
        if not self._allowed():
            return f"the list is sorted by {_or(left)}" if left else UNSORTED
        return ""

    def _refuse(self, reason: str) -> list[Window]:
        self.refusal = reason
        return []


def _or(orders: Sequence[Order]) -> str:
    return " or ".join(map(str, orders))
