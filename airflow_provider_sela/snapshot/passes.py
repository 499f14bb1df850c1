"""Whole reads, one after the other, for lists about which nothing can be proven."""

from __future__ import annotations

from airflow_provider_sela.snapshot.windows import MISSING, Observation, Window

_SECOND = 1_000_000
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
        self._reach = 0
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
        return max((self._counted or 0) - self._reach, 0)

    def record(self, seen: Observation, unknown: set[int]) -> list[Window]:
        """Take a response and the ids in it that no response before had shown; returns what to read on."""
        created = dict(zip(seen.ids, seen.column("created_time"), strict=True))
        self._counted = seen.count if self._counted is None else min(self._counted, seen.count)
        self._rejected += seen.rows - len(seen.ids)
        self._twice += seen.twice
        room = min(seen.window.page_size, seen.count - seen.window.offset)
        self._blank += max(room - seen.rows, 0)
        if seen.rows:
            self._reach = max(self._reach, seen.window.offset + seen.rows)
        self._missed += sum(1 for lead in unknown if not self._since_then(created[lead]))
        behind_the_end = not seen.rows and self._reach
        if not seen.has_next or behind_the_end or seen.window.page < self._pages:
            return []
        if self._pages >= self._most:
            self.endless = True
            return []
        self._pages = seen.window.page + 1
        return [Window(self._pages, self._size)]

    def _since_then(self, created: int) -> bool:
        return self._since is not None and created != MISSING and created > self._since + _SECOND
