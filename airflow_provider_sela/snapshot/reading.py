"""One verified read, as a dialogue: it names windows, a driver reads them.

::

    reading = Reading(page_size=1000)
    while reading.verdict is None:
        for window in reading.wanted():          # in any order, at the same time
            reading.record(read(window))         # in any order

The same answers recorded in the same order give the same windows, so several processes can each read a part:
see ``parts``.

It passes through these stages, forwards only:

1. *probe*: the first page, which tells the server's cap and the direction of the list. A list of one page is
   read until one response is known to be whole: ``ATOMIC``. Where the count says that the list is very long,
   its end is looked for before anything is planned for it.
2. *newest*: the newest end, if the list may be sorted by ``modified_time`` and no answer from there tells a
   floor (see ``floors``).
3. *rest*: all others, in windows that overlap, all at once.
4. *close*: see ``closing``: ``PROVEN``.
5. *repeat*: where that fails, whole reads until one is clean: ``CONVERGED``, else ``UNVERIFIED``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import partial

from airflow_provider_sela.snapshot.anchor import Anchor, anchor_of
from airflow_provider_sela.snapshot.attempts import LATENESS
from airflow_provider_sela.snapshot.closing import UNSORTED, Closing
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.passes import Passes
from airflow_provider_sela.snapshot.plan import OVERLAP, cover, front, tail
from airflow_provider_sela.snapshot.proof import at_newest_end, condition
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Strength, Verdict
from airflow_provider_sela.snapshot.windows import Observation, Response, Window

_PROBES = 12
"""Requests for a list of one page that grows meanwhile."""
_IN_VAIN = 6
"""Answers that say the same, after which a list of one page is asked for no more."""
_EFFORT = 2
"""Requests for each window of the rest that are spent on a proof, gaps included."""
_SPARE = 60
"""The same for a list of few windows."""


class Reading:
    """A verified read.

    At most 2 requests for each window of the rest and 60 more are spent on a proof, then ``max_passes - 1``
    plain walks on the rest.

    :param page_size: leads per request that are asked for; the server's cap is found out and kept to.
    :param max_passes: whole reads at most, the first included, where nothing can be proven.
    :param lateness: microseconds by which the ``modified_time`` of a lead may precede the moment at which the
        lead shows it, greatest first. The greatest is proven that the answers allow.

    :ivar verdict: None while windows are wanted or out.
    :ivar passes: whole reads so far.
    :ivar repaired: gaps between windows that were closed by further windows.
    """

    def __init__(self, page_size: int, *, max_passes: int = 4, lateness: Sequence[int] = LATENESS) -> None:
        if max_passes < 2:
            raise ValueError(f"max_passes is {max_passes}: nothing can converge in fewer than 2")
        self.verdict: Verdict | None = None
        self.passes = 1
        self.repaired = 0
        self._max_passes = max_passes
        self._lateness = lateness
        self._record = Record(page_size)
        self._probed: list[tuple[int, int]] = []
        self._passes: Passes | None = None
        self._after: Callable[[], list[Window]] = self._after_probe
        self._queue = [Window(1, page_size)]
        self._out: set[Window] = set()

    @property
    def over(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict is not None

    @property
    def expected(self) -> int | None:
        """Length of the list as last heard of, None before the first answer."""
        return self._record.count

    @property
    def ids(self) -> Set[int]:
        """Ids of the leads that were read."""
        return self._record.known.keys()

    def anchor(self, *, started: int, lookback: int) -> Anchor | None:
        """What this read leaves to one of what is new; None unless it is PROVEN.

        :param started: as in :func:`~airflow_provider_sela.snapshot.anchor.anchor_of`.
        """
        if self.verdict is None or self.verdict.strength is not Strength.PROVEN:
            return None
        record = self._record
        orders, known = record.evidence.supported(), len(record.known)
        return anchor_of(record, orders, started=started, lookback=lookback, known=known, full=started)

    def wanted(self) -> list[Window]:
        """Windows to request now, in the order in which they are best started; each is named once."""
        windows, self._queue = self._queue, []
        self._out.update(windows)
        return windows

    def record(self, response: Response) -> None:
        """Take the answer to a window.

        :raises ValueError: the window is not out.
        """
        if response.window not in self._out:
            raise ValueError(f"{response.window} is not out")
        self._out.remove(response.window)
        if response.gone:
            self._record.gone(response)
        else:
            seen, new = self._record.add(response)
            if self._passes:
                self._queue.extend(self._passes.record(seen, new))
        if not self._out and not self._queue:
            self._queue = self._following()

    def _following(self) -> list[Window]:
        """What to read next, now that every answer is in."""
        if self._whole():
            self.verdict = Verdict(Strength.ATOMIC, passes=self.passes)
            return []
        return self._after()

    def _whole(self) -> bool:
        """Whether the last response is the whole list, whatever its order.

        If n leads more were added than deleted between its count and its rows, the last n are cut off. If
        none of its leads is new, then all of those that were added, n or more, are among the n cut off, so
        nothing else is. Fewer rows than it counts mean that leads were deleted in between, or that the server
        hides some: another response tells.
        """
        observations = self._record.observations
        if not observations or observations[-1].window.page > 1 or observations[-1].has_next:
            return False
        last, record = observations[-1], self._record
        return (
            last.claims_end
            and not last.short
            and not record.shows_unknown(last, last.started)
            and not record.doubt
        )

    def _after_probe(self) -> list[Window]:
        record = self._record
        first = record.observations[-1]
        if first.has_next:
            return self._plan()
        if record.doubt:
            return self._repeat(record.doubt, whole=1)
        self._probed.append((first.count, len(record.known)))
        if len(self._probed) > _IN_VAIN and len(set(self._probed[-_IN_VAIN:])) == 1:
            return self._repeat("the server counts more leads than it shows", whole=1)
        if record.requests < _PROBES:
            return [front(record.cap, record.asked, least=first.count)]
        return self._repeat("leads were added during every request for a list of one page", whole=1)

    def _plan(self) -> list[Window]:
        """What follows once the length of the list is known, or is looked for."""
        record = self._record
        if record.extent.unseen(record.cap) and not record.limited:
            self._after = self._plan
            return [record.extent.seek(record.cap)]
        if record.doubt:
            return self._repeat(record.doubt, whole=0)
        if self._moves() and not self._newest_is_read():
            self._after = self._rest
            newest_first = record.evidence.descending()
            first, last = record.ends()
            return [first if newest_first else last]
        return self._rest()

    def _moves(self) -> bool:
        return any(order.mutable for order in self._record.evidence.plain())

    def _newest_is_read(self) -> bool:
        """Whether an answer from the newest end tells a floor, as the first page or that which sought the end
        may."""
        moving = [order for order in self._record.evidence.plain() if order.mutable]
        telling = self._telling()
        return all(any(at_newest_end(order, seen) for seen in telling) for order in moving)

    def _telling(self) -> list[Observation]:
        """Answers that tell a floor."""
        observations = self._record.observations
        floors = Floors(observations, 0)
        return [seen for seen in observations if floors.of(seen) is not None]

    def _rest(self) -> list[Window]:
        record = self._record
        descending = record.evidence.descending()
        if descending is None:
            return self._repeat(UNSORTED, whole=0)
        if record.cap < 4:
            return self._repeat(f"pages of {record.cap} leads are too small to overlap", whole=0)
        usable = self._telling() if self._moves() else record.observations
        last = tail(record.length, record.cap)
        ends = [seen.window for seen in usable if seen.claims_end]
        begun = max((seen.rows for seen in usable if seen.window.page == 1), default=0)
        stop = (ends or [last])[0].offset + OVERLAP
        first = [] if begun else [front(record.cap, record.asked)]
        begun = begun or first[0].stop
        rest = cover(begun - OVERLAP, stop, record.cap, OVERLAP) if begun < stop or not first else []
        windows = [*first, *rest]
        # Leads that change move away from rank 0 if the newest come first, towards it if they come last.
        # Windows read along with them overlap more, windows read against them come apart.
        windows = windows if descending else windows[::-1]
        if descending and not ends:
            windows.append(last)
        limit = record.requests + _EFFORT * len(windows) + _SPARE
        self._after = partial(self._close, Closing(record, limit=limit, lateness=self._lateness))
        return list(dict.fromkeys(windows))

    def _close(self, closing: Closing) -> list[Window]:
        windows, proofs, self.repaired = closing.wanted(), closing.proofs, closing.repaired
        if proofs:
            self.verdict = Verdict(Strength.PROVEN, str(proofs[0].order), self.passes, condition(proofs))
            return []
        return windows or self._repeat(closing.flaw, whole=1)

    def _repeat(self, reason: str, *, whole: int) -> list[Window]:
        """Begin with whole reads; ``whole`` of them, 0 or 1, are done."""
        self._passes = passes = Passes(self._record, reason, whole, self._max_passes)
        self._after = partial(self._read_again, passes)
        return self._passing(passes, passes.begin())

    def _read_again(self, passes: Passes) -> list[Window]:
        return self._passing(passes, passes.following())

    def _passing(self, passes: Passes, windows: list[Window]) -> list[Window]:
        self.passes, self.verdict = passes.made, passes.verdict
        return windows
