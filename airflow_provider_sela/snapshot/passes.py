"""Whole reads, one after the other, for lists about which nothing can be proven."""

from __future__ import annotations

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.doubts import LIMITED
from airflow_provider_sela.snapshot.record import Record
from airflow_provider_sela.snapshot.verdict import Strength, Verdict
from airflow_provider_sela.snapshot.windows import Observation, Window

_SECOND = 1_000_000
"""In microseconds: ``Date`` leaves out the part of a second."""
_ESTIMATE = 10
"""A count may be an estimate, and that one part in so many too high. By more it is none."""


class Pass:
    """One whole read, page by page.

    A pass is *clean* if it shows no lead that existed when the first one began and that no pass before had
    shown, and if it came to the end of the list. A lead counts as created since only if it says so itself, a
    second after the first answer's ``Date``; in doubt it existed, and the pass is not clean. Leads that the
    server counts and never shows are told by :meth:`hidden`.

    :param count: length of the list when it was last heard of.
    :param size: leads on a page.
    :param backwards: last page first. A list that moves in one direction is read in both.
    :param since: the first answer's ``Date``.
    :param done: pages that need no reading.

    :ivar endless: given up at twice the length that the list had when the pass began.
    """

    def __init__(
        self, count: int, size: int, *, backwards: bool = False, since: int | None = None, done: int = 0
    ) -> None:
        self._missed = 0
        self._counted: int | None = None
        self._rejected = 0
        self._twice = 0
        self._blank = 0
        self._farthest = 0
        self.endless = False
        self._since = since
        self._size = size
        self._pages = max(-(-count // size), 1)
        self._most = 2 * self._pages + 8
        pages = range(done + 1, self._pages + 1)
        self.windows = [Window(page, size) for page in (reversed(pages) if backwards else pages)]

    @property
    def clean(self) -> bool:
        return not self._missed and not self.endless

    def uncounted(self, known: int) -> int:
        """Leads that existed during the whole pass, as the lowest count says, beyond those that were shown.

        :param known: distinct leads in all responses so far.
        """
        return max((self._counted or 0) - self._rejected - known, 0)

    @property
    def cut(self) -> bool:
        """Whether the list is shown to end far before where the server counts that it does."""
        return self._beyond > (self._counted or 0) // _ESTIMATE

    def hidden(self, known: int) -> int:
        """Those of them that the pages do not explain: by rows shown twice, by room for more rows than they
        show, or by an end that comes a little earlier than counted, as where the count is an estimate."""
        explained = 0 if self.cut else max(self._blank, self._beyond)
        if self._twice:
            # A lead may be shown last on one page and again first on the next.
            explained += self._twice + self._pages
        return max(self.uncounted(known) - explained, 0)

    @property
    def _beyond(self) -> int:
        return max((self._counted or 0) - self._farthest, 0)

    def record(self, seen: Observation, unknown: set[int]) -> list[Window]:
        """Take a response and the ids in it that no response before had shown; returns what to read on."""
        created = dict(zip(seen.ids, seen.column("created_time"), strict=True))
        self._counted = seen.count if self._counted is None else min(self._counted, seen.count)
        self._rejected += seen.rows - len(seen.ids)
        self._twice += seen.twice
        room = min(seen.window.page_size, seen.count - seen.window.offset)
        self._blank += max(room - seen.rows, 0)
        if seen.rows:
            self._farthest = max(self._farthest, seen.window.offset + seen.rows)
        self._missed += sum(1 for lead in unknown if not self._since_then(created[lead]))
        behind_the_end = not seen.rows and self._farthest
        if not seen.has_next or behind_the_end or seen.window.page < self._pages:
            return []
        if self._pages >= self._most:
            self.endless = True
            return []
        self._pages = seen.window.page + 1
        return [Window(self._pages, self._size)]

    def _since_then(self, created: int) -> bool:
        return self._since is not None and created != MISSING and created > self._since + _SECOND


class Passes:
    """Whole reads until one is clean, or until it is plain that none will be.

    :param record: what was read.
    :param reason: why nothing can be proven.
    :param made: whole reads that are done, 0 or 1.
    :param most: whole reads at most, those included.

    :ivar made: whole reads so far.
    :ivar verdict: None before the last.
    """

    def __init__(self, record: Record, reason: str, made: int, most: int) -> None:
        self.made = made
        self.verdict: Verdict | None = None
        self._record = record
        self._reason = reason
        self._most = most
        self._pass = self._planned(done=1 - made)

    def begin(self) -> list[Window]:
        """The first windows; none if there is a verdict."""
        record = self._record
        record.compares = False
        if self.made and record.limited:
            self._conclude(Strength.UNVERIFIED, max((record.count or 0) - len(record.known), 0))
            return []
        return self._pass.windows or self.following()

    def record(self, seen: Observation, unknown: set[int]) -> list[Window]:
        """Take a response and the ids in it that are new; returns what to read on."""
        return self._pass.record(seen, unknown)

    def following(self) -> list[Window]:
        """The windows after a pass; none if there is a verdict."""
        self.made += 1
        done, known = self._pass, len(self._record.known)
        uncounted, hidden = done.uncounted(known), done.hidden(known) if done.clean else 0
        if self._record.limited or (done.cut and uncounted):
            self._conclude(Strength.UNVERIFIED, uncounted)
        elif self.made > 1 and done.clean:
            # What the server counts and does not show it will not show to the next pass either.
            self._conclude(Strength.UNVERIFIED if hidden else Strength.CONVERGED, hidden or uncounted)
        elif self.made >= self._most or done.endless:
            self._conclude(Strength.UNVERIFIED, hidden)
        else:
            self._pass = self._planned()
            return self._pass.windows or self.following()
        return []

    def _planned(self, done: int = 0) -> Pass:
        """The pass to make next."""
        record = self._record
        since = record.observations[0].date
        # Another size for each pass, so that none is given the answers of the one before out of a cache.
        size = max(record.cap - self.made, record.cap // 2, 1)
        return Pass(record.length, size, backwards=self.made % 2 == 1, since=since, done=done)

    def _conclude(self, strength: Strength, uncounted: int) -> None:
        reason = LIMITED if self._record.limited else self._reason
        if uncounted:
            reason += f"; the server counts {uncounted} leads more than it shows"
        self.verdict = Verdict(strength, passes=self.made, reason=reason)
