"""At which end new leads enter a list, without any I/O.

The order of the list is not documented and can be told only from what it shows. Nothing here is a proof of
completeness (that is :mod:`airflow_provider_sela.snapshot`): users of this module look again later by a way
that does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.exceptions import SelaPageGoneError
from airflow_provider_sela.snapshot.orders import Evidence
from airflow_provider_sela.snapshot.windows import Entry

#: Pages of one reading; where more came than they hold, the whole list is the cheaper answer.
_MAX_PAGES = 10
#: Leads that a later reading can join; five full readings of the usual page size.
_REMEMBERED_LEADS = 5_000
#: Leads that a first reading must show: a last page with fewer may all be gone at the next one.
_MIN_LEADS = 8


class NewestEnd:
    """Reads the end of a list where new leads appear, down to what was seen there before.

    Each page removes the orders that it contradicts. As long as all orders that are left bring new leads to
    the same end, that end is read; a reading that reaches a lead seen before, unchanged, holds everything
    that came after that lead.

    A :class:`~airflow_provider_sela.api.walk.PageDialogue` for each reading, which :meth:`start` begins.

    :ivar page: number of the page that is wanted, None when a reading is over.
    :ivar leads: the leads of this reading.
    :ivar joined: this reading reaches what was seen before, or is the whole list.
    :ivar whole: this reading is the whole list in one answer.
    """

    page: int | None
    leads: list[Lead]
    joined: bool
    whole: bool

    def __init__(self) -> None:
        self._evidence = Evidence()
        self._known: dict[Entry, None] = {}
        self._first, self._size = 1, 0
        self.start()

    @property
    def ascending(self) -> bool | None:
        """Whether new leads come last; None where the order is not known."""
        directions = {not order.descending for order in self._evidence.supported()}
        return directions.pop() if len(directions) == 1 else None

    @property
    def unordered(self) -> bool:
        """The list contradicts every order that is known here; this does not change any more."""
        return not any(self._evidence.plain())

    @property
    def shows_changes(self) -> bool:
        """Whether a lead that changes moves to the newest end."""
        orders = self._evidence.supported()
        return bool(orders) and all(order.mutable for order in orders)

    def observe(self, entries: Sequence[Entry]) -> None:
        """Take the leads of an answer from anywhere in the list as a test of its order."""
        self._evidence.show(entries)

    def start(self) -> None:
        """Begin a reading."""
        self._gone = False
        self._read_from(self._first)

    def record(self, page: Page[Lead]) -> list[Lead]:
        """Take the wanted page and give its leads."""
        number = self.page or 1
        self._pages.add(number)
        entries = [Entry.from_lead(lead) for lead in page.leads]
        self._evidence.show(entries)
        self._first = self._last(number, page) if self.ascending else 1
        self.leads += page.leads
        self.whole = number == 1 and page.next_page is None
        self.joined = self.joined or self.whole or any(item in self._known for item in entries)
        if page.next_page is not None and self.ascending and self._pages == {1}:
            # The first page was read only to learn the order; it is not the end.
            self._read_from(self._first)
            return list(page.leads)
        self.page = self._next(page.next_page)
        if self.page is None:
            self._remember()
        return list(page.leads)

    def gone(self) -> None:
        """The wanted page does not exist: the list shrank, and is read from page 1.

        :raises SelaPageGoneError: for the second time in one reading, although page 1 counts leads for it.
        """
        if self._gone:
            raise SelaPageGoneError(
                f"the server refuses page {self.page}, while page 1 counts leads for it: look again later"
            )
        self._gone = True
        self._read_from(1)

    def _read_from(self, page: int) -> None:
        """Begin at a page, with nothing read so far."""
        self.page, self.leads, self._pages = page, [], set[int]()
        self.joined = self.whole = False

    def _next(self, following: int | None) -> int | None:
        if self.whole:
            return None
        deep, up = len(self._pages) >= _MAX_PAGES, self.ascending
        newer = following if up and following not in self._pages else None
        if up is None or (deep and newer is not None):
            # Leads that are newer than these may be where this reading does not look.
            self.joined = False
            return None
        if newer is not None or deep or self._enough():
            return newer
        return min(self._pages) - 1 or None if up else following

    def _last(self, number: int, page: Page[Lead]) -> int:
        """Number of the last page, by the count and by what follows a page, as each alone can mislead."""
        if page.next_page is not None:
            self._size = max(page.rows, 1)
        return max(page.next_page or number, ceil(page.count / self._size) if self._size else 1)

    def _enough(self) -> bool:
        return self.joined if self._known else len(self.leads) >= _MIN_LEADS

    def _remember(self) -> None:
        shown = dict.fromkeys(map(Entry.from_lead, self.leads))
        before = (item for item in self._known if item not in shown)
        self._known = dict.fromkeys([*before, *shown][-_REMEMBERED_LEADS:])
