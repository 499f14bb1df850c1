"""What a look at the list reads: its newest end, the whole list, or both, without any I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.walk import SeenIds, Walk
from airflow_provider_sela.snapshot.windows import Entry
from airflow_provider_sela.triggers.newest import NewestEnd

#: Intervals between two whole readings, while the newest end does not tell what is new.
INTERVALS_IN_DOUBT = 10
#: Intervals between two whole readings in any case, as the order is observed and ``count`` may mislead.
INTERVALS_AT_MOST = 60
#: One lead in so many may be missing from a whole reading without a word.
_FEW = 10


@dataclass(frozen=True)
class Look:
    """What one look showed.

    :param entries: the leads seen.
    :param whole: these are all leads.
    :param began: when the look began, ISO 8601 in UTC.
    """

    entries: list[Entry]
    whole: bool
    began: str

    def with_whole(self, whole: Look) -> Look:
        """This look and a whole one that came after it, as one."""
        return Look(self.entries + whole.entries, True, self.began)


class ListWatch:
    """Looks at a list again and again; a :class:`~airflow_provider_sela.api.walk.PageDialogue` for each look.

    A look reads the newest end. Three things cast doubt on it, and the whole list is then read, too, but not
    more often than every :data:`INTERVALS_IN_DOUBT`: no order is seen, or none that shows changes where they
    count; the newest end was not followed without a gap; or ``count`` grew by more than the leads that were
    new, so that some came where nobody looked. The first look is whole.

    :param interval: seconds between two looks.
    :param on_changed: whether leads that changed count.
    :param clock: seconds that never go back.
    :ivar page: number of the page that is wanted, None when a look is over.
    :ivar entries: the leads of this look.
    :ivar whole: this look showed the whole list.
    :ivar unseen: leads that it did not show all the same although the server counts them; 0 where so few are
        missing as may have moved from page to page, or as an estimate may be wrong by.
    """

    page: int | None
    entries: list[Entry]
    whole: bool
    unseen: int

    def __init__(
        self, interval: float, *, on_changed: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval
        self._on_changed = on_changed
        self._clock = clock
        self._end = NewestEnd()
        self._arrivals = _Arrivals()
        self._doubt = False
        self._whole_at = float("-inf")

    def start(self) -> None:
        """Begin a look."""
        self.entries, self.whole, self.unseen = [], False, 0
        self._counts: list[int] = []
        self._walk: Walk | None = None
        if self._end.unordered:
            self._read_whole_if_due()
        else:
            self._end.start()
            self.page = self._end.page

    def record(self, page: Page[Lead]) -> list[Lead]:
        """Take the wanted page and give its leads."""
        shown = [Entry.from_lead(lead) for lead in page.leads]
        self.entries += shown
        self._counts.append(page.count)
        reading = self._reading
        reading.record(page)
        self.page = reading.page
        if self._walk is not None:
            self._end.observe(shown)
        if self.page is None:
            self._end_reading()
        return list(page.leads)

    def gone(self) -> None:
        """The wanted page does not exist.

        :raises SelaPageGoneError: for the second time, although page 1 counts leads for it.
        """
        self._reading.gone()
        self.page = self._reading.page

    @property
    def _reading(self) -> Walk | NewestEnd:
        return self._end if self._walk is None else self._walk

    def _end_reading(self) -> None:
        ids = (entry.id for entry in self.entries)
        if self._walk is not None:
            missing = self._walk.missing
            self.unseen = missing if missing > self._counts[-1] // _FEW else 0
        if self._walk is not None or self._end.whole:
            # Whatever came during a walk is counted on its last page at the latest.
            self._arrivals.begin(ids, self._counts[-1])
            self.whole, self._doubt, self._whole_at = True, False, self._clock()
            return
        # What came between two pages of one reading is counted on the second, and may be on neither.
        hidden = self._arrivals.hide_some(ids, min(self._counts))
        self._doubt = self._doubt or hidden or not self._end.joined
        self._read_whole_if_due()

    def _read_whole_if_due(self) -> None:
        ordered = self._end.ascending is not None and (not self._on_changed or self._end.shows_changes)
        intervals = INTERVALS_AT_MOST if ordered and not self._doubt else INTERVALS_IN_DOUBT
        if self._clock() - self._whole_at >= intervals * self._interval:
            self._walk, self._counts = Walk(), []
            self.page = self._walk.page
        else:
            self.page = None


class _Arrivals:
    """Tells whether all leads by which ``count`` grew were seen."""

    def __init__(self) -> None:
        self._seen = SeenIds()
        self._count: int | None = None
        self._uncounted = 0

    def begin(self, ids: Iterable[int], count: int) -> None:
        """Compare with a whole list from now on."""
        self._new(ids)
        self._count, self._uncounted = count, 0

    def hide_some(self, ids: Iterable[int], count: int) -> bool:
        """Whether ``count`` grew by more leads than are new here.

        The server counts before it takes the rows: a lead may be seen at one look and counted at the next.
        Leads that went hide as many that came, for one look at most.
        """
        new = self._new(ids)
        growth = count - (count if self._count is None else self._count)
        hidden = growth > new + self._uncounted
        self._count, self._uncounted = count, max(0, new - max(growth, 0))
        return hidden

    def _new(self, ids: Iterable[int]) -> int:
        return sum([self._seen.add(key) for key in ids])
