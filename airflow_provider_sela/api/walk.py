"""A plain walk over the pages, first to last: each lead once, no claim of completeness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.exceptions import SelaPageGoneError, SelaResponseError

#: Ids that share one integer, a bit each; wider ones would cost more where ids lie far apart.
_IDS_PER_BLOCK = 256


class SeenIds:
    """Ids that were seen, a bit each: a million ids that lie close together take less than 1 MB."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def add(self, key: int) -> bool:
        """Take an id; True if it was not there."""
        block, bit = key // _IDS_PER_BLOCK, 1 << key % _IDS_PER_BLOCK
        known = self._blocks.get(block, 0)
        self._blocks[block] = known | bit
        return not known & bit


class PageDialogue(Protocol):
    """Names the page that it wants; a driver reads that page and hands it over. Does no I/O itself.

    :ivar page: number of the page that is wanted, None at the end.
    """

    page: int | None

    def record(self, page: Page[Lead]) -> Iterable[Lead]:
        """Take the wanted page and give those of its leads that count."""

    def gone(self) -> None:
        """The wanted page does not exist."""


class Walk:
    """Where a walk stands; a :class:`PageDialogue`.

    :ivar page: number of the page that is wanted, None at the end.
    :ivar count: leads in the list, as last counted by the server; None before the first answer.
    :ivar leads: distinct leads so far.
    :ivar rejected: results without a usable id so far.
    """

    def __init__(self) -> None:
        self.page: int | None = 1
        self.count: int | None = None
        self.leads = 0
        self.rejected = 0
        self._rows = 0
        self._seen = SeenIds()
        self._doubted: int | None = None

    def record(self, page: Page[Lead]) -> Iterator[Lead]:
        """Take an answer and give its leads that were not seen before.

        :raises SelaResponseError: the server repeats itself without end.
        """
        fresh = [lead for lead in page.leads if self._seen.add(lead["id"])]
        if self.page == 1 and self._doubted is not None:
            # Asked only because a later page was gone: that page exists if this one counts leads for it.
            self.page = self._doubted if (self._doubted - 1) * page.rows < page.count else None
            return self._taken(page, fresh)
        self._rows += page.rows
        if page.next_page is not None and not fresh and max(self._rows, page.next_page - 1) >= page.count:
            raise SelaResponseError(
                f"page {page.next_page - 1} names a next page but brings nothing new after {self._rows} "
                f"results: reading on would never end"
            )
        self.page = page.next_page
        return self._taken(page, fresh)

    @property
    def missing(self) -> int:
        """Leads that the server counted last, beyond those that were shown."""
        return max((self.count or 0) - self.leads - self.rejected, 0)

    def remarks(self) -> list[str]:
        """What a walk that has ended did not give."""
        remarks = []
        if self.rejected:
            remarks.append(f"{self.rejected} results had no usable id and were left out")
        if self.missing:
            remarks.append(
                f"the server counts {self.missing} leads more than it showed; "
                f"a snapshot would read them again"
            )
        return remarks

    def gone(self) -> None:
        """The wanted page does not exist: page 1 must tell whether the list became shorter.

        :raises SelaPageGoneError: it did not, and the page is not there a second time either.
        """
        if self.page == self._doubted:
            raise SelaPageGoneError(
                f"the server refuses page {self.page} twice, while page 1 counts leads for it: run it"
                " again or, if the server pages only so far, read parts of the list by filters"
            )
        self._doubted, self.page = self.page, 1

    def _taken(self, page: Page[Lead], fresh: list[Lead]) -> Iterator[Lead]:
        self.count = page.count
        self.rejected += len(page.rejects)
        self.leads += len(fresh)
        return iter(fresh)
