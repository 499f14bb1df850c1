"""One verified read, as a dialogue: it names windows, a driver reads them.

::

    reading = Reading(page_size=1000)
    while reading.verdict is None:
        for window in reading.wanted():          # in any order, at the same time
            reading.record(read(window))         # in any order

The same answers recorded in the same order give the same windows, so a read can be spread over processes: see
``spreading``.

It passes through these stages, forwards only:

1. *probe*: the first page, which tells the server's cap and the direction of the list. A list of one page is
   read until one response is known to be whole: ``ATOMIC``.
2. *base*: the newest end, if the list may be sorted by ``modified_time`` (see ``floors``).
3. *spread*: all the rest, in windows that overlap, all at once.
4. *close*: see ``closing``: ``PROVEN``.
5. *repeat*: where that fails, whole reads until one is clean: ``CONVERGED``, else ``UNVERIFIED``.
"""

from __future__ import annotations

from enum import Enum, auto

from airflow_provider_sela.snapshot.closing import UNSORTED, Closing
from airflow_provider_sela.snapshot.floors import Floors
from airflow_provider_sela.snapshot.passes import Pass
from airflow_provider_sela.snapshot.plan import OVERLAP, cover, tail
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Stats, Strength, Verdict
from airflow_provider_sela.snapshot.windows import Response, Window

_PROBES = 12
_EFFORT = 2
_SPARE = 60


class _Stage(Enum):
    PROBE = auto()
    BASE = auto()
    SPREAD = auto()
    CLOSE = auto()
    REPEAT = auto()


class Reading:
    """A verified read.

    At most 2 requests for each window of the spread and 60 more are spent on a proof, then ``max_passes - 1``
    plain walks on the rest.

    :param page_size: leads per request that are asked for; the server's cap is found out and kept to.
    :param max_passes: whole reads at most, the first included, where nothing can be proven.
    :param lateness: microseconds by which the ``modified_time`` of a lead may precede the moment at which the
        lead shows it. A quarter of a second is longer than the transaction that writes one lead should last,
        and costs nothing unless a hundred leads change in a second.

    :ivar verdict: None while windows are wanted or out.
    :ivar passes: whole reads so far.
    """

    def __init__(self, page_size: int, *, max_passes: int = 4, lateness: int = 250_000) -> None:
        if page_size < 1:
            raise ValueError(f"page_size is {page_size}: it starts at 1")
        if max_passes < 2:
            raise ValueError(f"max_passes is {max_passes}: nothing can converge in fewer than 2")
        self.verdict: Verdict | None = None
        self.passes = 1
        self._max_passes = max_passes
        self._lateness = lateness
        self._record = Record(page_size)
        self._closing = Closing(self._record, limit=0, lateness=lateness)
        self._pass = Pass(0, 1)
        self._reason = ""
        self._stage = _Stage.PROBE
        self._queue = [Window(1, page_size)]
        self._out: set[Window] = set()

    @property
    def expected(self) -> int | None:
        """Length of the list as last heard of, None before the first answer."""
        return self._record.count

    @property
    def repaired(self) -> int:
        """Gaps between windows that were closed by further windows."""
        return self._closing.repaired

    @property
    def stats(self) -> Stats:
        """What the read has taken so far."""
        record = self._record
        orders = tuple(str(order) for order in record.evidence.supported())
        return Stats(record.requests, len(record.known), self.repaired, self.passes, orders)

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
            if self._stage is _Stage.REPEAT:
                self._queue.extend(self._pass.record(seen, new))
        if not self._out and not self._queue:
            self._queue = self._following()

    def _following(self) -> list[Window]:
        """What to read next, now that every answer is in."""
        if self._whole():
            self.verdict = Verdict(Strength.ATOMIC, passes=self.passes)
            return []
        after = {
            _Stage.PROBE: self._after_probe,
            _Stage.BASE: self._spread,
            _Stage.SPREAD: self._close,
            _Stage.CLOSE: self._close,
            _Stage.REPEAT: self._after_pass,
        }
        return after[self._stage]()

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
        last = observations[-1]
        return not last.short and not self._record.shows_unknown(last, last.started)

    def _after_probe(self) -> list[Window]:
        record = self._record
        first = record.observations[-1]
        if not first.has_next:
            if record.requests < _PROBES:
                return [Window(1, record.cap)]
            return self._repeat("leads were added during every request for a list of one page", whole=1)
        if self._moves():
            self._stage = _Stage.BASE
            newest_first = record.evidence.descending()
            return [Window(1, record.cap) if newest_first else tail(record.length, record.cap)]
        return self._spread()

    def _moves(self) -> bool:
        return any(order.mutable for order in self._record.evidence.plain())

    def _spread(self) -> list[Window]:
        record = self._record
        descending = record.evidence.descending()
        if descending is None:
            return self._repeat(UNSORTED, whole=0)
        if record.cap < 4:
            return self._repeat(f"pages of {record.cap} leads are too small to overlap", whole=0)
        usable = record.observations
        if self._moves():
            floors = Floors(usable, self._lateness)
            usable = [seen for seen in usable if floors.of(seen) is not None]
        last = tail(record.length, record.cap)
        ends = [seen.window for seen in usable if seen.claims_end]
        begun = any(seen.window.page == 1 for seen in usable)
        windows = cover(
            record.cap - OVERLAP if begun else 0, (ends or [last])[0].offset + OVERLAP, record.cap, OVERLAP
        )
        # Leads that change move away from rank 0 if the newest come first, towards it if they come last.
        # Windows read along with them overlap more, windows read against them come apart.
        windows = windows if descending else windows[::-1]
        if descending and not ends:
            windows.append(last)
        limit = record.requests + _EFFORT * len(windows) + _SPARE
        self._closing = Closing(record, limit=limit, lateness=self._lateness)
        self._stage = _Stage.SPREAD
        return list(dict.fromkeys(windows))

    def _close(self) -> list[Window]:
        self._stage = _Stage.CLOSE
        windows = self._closing.wanted()
        if self._closing.order is not None:
            self.verdict = Verdict(Strength.PROVEN, str(self._closing.order), self.passes)
            return []
        return windows or self._repeat(self._closing.flaw, whole=1)

    def _repeat(self, reason: str, *, whole: int) -> list[Window]:
        """Begin with whole reads; ``whole`` of them, 0 or 1, are done."""
        self._stage = _Stage.REPEAT
        self._reason = reason
        self.passes = whole
        return self._next_pass(done=1 - whole)

    def _next_pass(self, done: int = 0) -> list[Window]:
        record = self._record
        since = record.observations[0].date
        backwards = self.passes % 2 == 1
        self._pass = Pass(record.length, record.cap, backwards=backwards, since=since, done=done)
        return self._pass.windows or self._after_pass()

    def _after_pass(self) -> list[Window]:
        self.passes += 1
        hidden = self._pass.hidden(len(self._record.known))
        if self.passes > 1 and self._pass.clean and not hidden:
            self.verdict = Verdict(Strength.CONVERGED, passes=self.passes, reason=self._reason)
        elif self.passes >= self._max_passes or self._pass.endless:
            counted = f"the server counts {hidden} leads more than it shows"
            reason = counted if hidden and self._pass.clean else self._reason
            self.verdict = Verdict(Strength.UNVERIFIED, passes=self.passes, reason=reason)
        else:
            return self._next_pass()
        return []
