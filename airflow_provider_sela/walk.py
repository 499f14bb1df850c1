"""A plain walk over the pages, first to last: each lead once, no claim of completeness.

A dialogue without I/O: it names the page that it wants, a driver reads it.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_sela.api import Page
from airflow_provider_sela.exceptions import SelaResponseError
from airflow_provider_sela.leads import Lead

_BLOCK = 256


class IdSet:
    """Ids that were seen, a bit each: a million ids that lie close together take less than 1 MB."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def add(self, key: int) -> bool:
        """Take an id; True if it was not there."""
        block, bit = key // _BLOCK, 1 << key % _BLOCK
        known = self._blocks.get(block, 0)
        self._blocks[block] = known | bit
        return not known & bit


class Walk:
    """Where a walk stands.

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
        self._seen = IdSet()

    def record(self, page: Page) -> Iterator[Lead]:
        """Take an answer and give its leads that were not seen before.

        :raises SelaResponseError: the server repeats itself without end.
        """
        fresh = [lead for lead in page.leads if self._seen.add(lead["id"])]
        self._rows += page.rows
        if page.next_page is not None and not fresh and max(self._rows, page.next_page - 1) >= page.count:
            raise SelaResponseError(
                f"page {page.next_page - 1} names a next page but brings nothing new after {self._rows} "
                f"results: reading on would never end"
            )
        self.page = page.next_page
        self.count = page.count
        self.rejected += len(page.rejects)
        self.leads += len(fresh)
        return iter(fresh)

    def end(self) -> None:
        """The wanted page is gone: the list shrank, and nothing follows."""
        self.page = None
