"""How long the list is: what the server counts, and how far it shows leads.

Both are the same on an honest server, but for what is written between two requests. A count may also be an
estimate or of another time, and a server may show no more than the first so many leads.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from math import isqrt

from airflow_provider_sela.snapshot.plan import reaching, tail
from airflow_provider_sela.snapshot.windows import Observation, Window

_AHEAD = 300
"""Windows behind the farthest lead shown that are asked for on the word of a count alone."""
_DENIALS = 3
"""A list that shrinks and grows again can look as if it denied a page, but hardly so often in one read.
Where a page that has no next one does not reach the count, once is enough."""


class _Says(Enum):
    """How an answer says that the list ends at some rank although the server counts more leads."""

    NO_MORE = "no next page"
    GONE = "404"
    EMPTY = "no lead"


class Extent:
    """What the answers say of the length of the list.

    :ivar count: as last heard of, None before the first answer.
    """

    def __init__(self) -> None:
        self.count: int | None = None
        self._heard = -1
        self._farthest = 0
        self._ceiling: int | None = None
        self._ends: list[tuple[_Says, int, int]] = []
        self._denied: Counter[_Says] = Counter()

    @property
    def length(self) -> int:
        """The best guess, 0 while unknown: the count, unless pages that it allows show no lead."""
        count = self.count or 0
        return count if self._ceiling is None else min(count, self._ceiling)

    @property
    def limited(self) -> bool:
        """Whether the server refuses pages that its own count says there are."""
        return self._denied[_Says.NO_MORE] > 0 or self._denied[_Says.GONE] >= _DENIALS

    @property
    def overcounted(self) -> bool:
        """Whether the server gives pages without a lead that its own count says have some."""
        return self._denied[_Says.EMPTY] >= _DENIALS

    def record(self, seen: Observation) -> None:
        """Take a response."""
        offset, stop = seen.window.offset, seen.window.offset + seen.rows
        self._deny(seen)
        if seen.limited:
            self._ends.append((_Says.NO_MORE, seen.window.stop, seen.ended))
        if seen.started >= self._heard:
            self._heard, self.count = seen.started, seen.count
        if seen.rows:
            self._farthest = max(self._farthest, stop)
        elif offset:
            self._end(_Says.EMPTY, offset, seen.ended)
        if self._ceiling is not None and (
            seen.count <= self._ceiling or (seen.rows and stop > self._ceiling)
        ):
            self._ceiling = None

    def gone(self, window: Window, ended: int) -> None:
        """Take a 404: the list is no longer than where its window began."""
        self._end(_Says.GONE, window.offset, ended)

    def unseen(self, cap: int) -> bool:
        """Whether the end is further off than is worth planning for before a lead was seen there. Once a page
        has shown none, nothing is."""
        ahead = _AHEAD if self._ceiling is None else 1
        return self.length > self._farthest + ahead * cap

    def seek(self, cap: int) -> Window:
        """Where to look for the end: where the count says first, then between there and what was shown."""
        if self._ceiling is None:
            return tail(self.length, cap)
        # Far off, the middle of the digits is found in fewer steps than that of the numbers.
        geometric = isqrt(self._farthest * self._ceiling)
        middle = (self._farthest + self._ceiling) // 2
        return reaching(min(max(geometric, self._farthest), middle), cap)

    def _end(self, says: _Says, rank: int, ended: int) -> None:
        if rank < self.length:
            self._ceiling = rank
        self._ends.append((says, rank, ended))

    def _deny(self, seen: Observation) -> None:
        """Hold the count of a response against what answers before its request said of the end."""
        waiting = []
        for says, rank, ended in self._ends:
            if ended >= seen.started:
                waiting.append((says, rank, ended))
            elif seen.count > rank >= self._farthest:
                self._denied[says] += 1
        self._ends = waiting
