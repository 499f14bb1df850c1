"""All that a read has seen so far."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sela.snapshot import doubts
from airflow_provider_sela.snapshot.extent import Extent
from airflow_provider_sela.snapshot.orders import Evidence
from airflow_provider_sela.snapshot.plan import front, tail
from airflow_provider_sela.snapshot.windows import Entries, Observation, Response, Window


class Record:
    """Responses, and what follows from all of them together: about 200 bytes a lead.

    :ivar observations: responses, 404 aside.
    :ivar known: every id seen, with the response that was the first to show it.
    :ivar evidence: orders that no response contradicts.
    :ivar extent: how long the list is.
    :ivar asked: windows that were answered.
    :ivar requests: answers, 404 included.
    :ivar cap: leads that the server gives at once; the size that was asked for until it is known.
    :ivar ignored: the server gave more leads than were asked for, so it goes by another ``page_size``.
    :ivar honoured: the server kept to a ``page_size`` below its cap.
    :ivar compares: whether versions of a lead are compared; it takes time, and only a proof is worth it.
    """

    def __init__(self, page_size: int) -> None:
        self.observations: list[Observation] = []
        self.known: dict[int, Observation] = {}
        self.evidence = Evidence()
        self.extent = Extent()
        self.asked: set[Window] = set()
        self.requests = 0
        self.cap = page_size
        self.ignored = False
        self.honoured = False
        self.compares = True
        self._versions = doubts.Versions()

    @property
    def count(self) -> int | None:
        """Length of the list as last heard of."""
        return self.extent.count

    @property
    def length(self) -> int:
        """Length of the list as far as leads can be expected, 0 while unknown."""
        return self.extent.length

    def ends(self) -> tuple[Window, Window]:
        """Windows of both ends of the list, under names that were not asked for yet."""
        return front(self.cap, self.asked), tail(self.length, self.cap, self.asked)

    @property
    def limited(self) -> bool:
        """Whether the server pages only so far."""
        return self.extent.limited and not self.ignored

    @property
    def doubt(self) -> str:
        """Why nothing can be proven whatever the order, empty if it may be."""
        seen = self.observations
        reasons: tuple[tuple[str, Callable[[], bool]], ...] = (
            (doubts.IGNORED, lambda: self.ignored),
            (doubts.LIMITED, lambda: self.limited),
            (doubts.CACHED, lambda: doubts.outdated(seen)),
            (doubts.MIXED, lambda: self._versions.mixed),
            (doubts.REPEATED, lambda: any(each.twice for each in seen)),
            (doubts.INCOMPLETE, lambda: doubts.leaves_out(seen, self.cap)),
            (doubts.OVERCOUNTED, lambda: self.extent.overcounted),
        )
        return next((reason for reason, holds in reasons if holds()), "")

    def gone(self, response: Response) -> None:
        """Take a 404: the list is no longer than where its window began."""
        self.requests += 1
        self.asked.add(response.window)
        self.extent.gone(response.window, response.ended)

    def add(self, response: Response) -> tuple[Observation, set[int]]:
        """Take a response; returns it as it is kept, and the ids in it that are new."""
        seen = Observation(response)
        self.requests += 1
        self.asked.add(response.window)
        self.extent.record(seen)
        if seen.has_next and seen.rows and not any(each.has_next for each in self.observations):
            self.cap = min(self.cap, seen.rows)
        self.ignored |= seen.rows > seen.window.page_size
        self.honoured |= seen.has_next and seen.rows == seen.window.page_size < self.cap
        new = self._meet(seen, response)
        self.evidence.record(seen)
        self.observations.append(seen)
        return seen, new

    def shows_unknown(self, seen: Observation, before: int) -> bool:
        """Whether a response shows a lead that no answer before a tick had shown."""
        return any(self.known[lead].ended >= before for lead in seen.ids)

    def _meet(self, seen: Observation, response: Response) -> set[int]:
        """Remember who shows which lead first; returns the ids that are new."""
        known = self.known
        # The driver's own objects, not copies out of an array: its index and this one then share them.
        shown = set(Entries.from_entries(response.entries).ids)
        new = shown.difference(known)
        if len(new) < len(shown):
            firsts = {lead: known[lead] for lead in shown.difference(new)}
            if self.compares:
                self._versions.compare(seen, firsts)
            known.update((lead, seen) for lead, first in firsts.items() if seen.ended < first.ended)
        known.update(dict.fromkeys(new, seen))
        return new
