"""All that a read has seen so far."""

from __future__ import annotations

from airflow_provider_sela.snapshot.orders import Evidence
from airflow_provider_sela.snapshot.windows import Observation, Response


class Record:
    """Responses, and what follows from all of them together: about 200 bytes a lead.

    :ivar observations: responses, 404 aside.
    :ivar known: every id seen, with the tick at which the first response that shows it was complete.
    :ivar evidence: orders that no response contradicts.
    :ivar count: length of the list as last heard of.
    :ivar requests: answers, 404 included.
    :ivar cap: leads that the server gives at once; the size that was asked for until it is known.
    :ivar ignored: the server gave more leads than were asked for, so it goes by another ``page_size``.
    :ivar honoured: the server kept to a ``page_size`` below its cap.
    """

    def __init__(self, page_size: int) -> None:
        self.observations: list[Observation] = []
        self.known: dict[int, int] = {}
        self.evidence = Evidence()
        self.count: int | None = None
        self.requests = 0
        self.cap = page_size
        self.ignored = False
        self.honoured = False
        self._heard = -1

    @property
    def length(self) -> int:
        """The count, 0 while unknown."""
        return self.count or 0

    def gone(self, response: Response) -> None:
        """Take a 404: the list is no longer than where its window began."""
        self.requests += 1
        self._hear(min(self.length, response.window.offset), response.started)

    def add(self, response: Response) -> tuple[Observation, set[int]]:
        """Take a response; returns it as it is kept, and the ids in it that are new."""
        seen = Observation(response)
        self.requests += 1
        self._hear(seen.count, seen.started)
        if seen.has_next and seen.rows and not any(each.has_next for each in self.observations):
            self.cap = min(self.cap, seen.rows)
        self.ignored |= seen.rows > seen.window.page_size
        self.honoured |= seen.has_next and seen.rows == seen.window.page_size < self.cap
        # The driver's own objects, not copies out of an array: its index and this one then share them.
        ids = [entry.id for entry in response.entries]
        new = set(ids).difference(self.known)
        for lead in ids:
            self.known[lead] = min(seen.ended, self.known.get(lead, seen.ended))
        self.evidence.record(seen)
        self.observations.append(seen)
        return seen, new

    def shows_unknown(self, seen: Observation, before: int) -> bool:
        """Whether a response shows a lead that no answer before a tick had shown."""
        return any(self.known[lead] >= before for lead in seen.ids)

    def _hear(self, count: int, started: int) -> None:
        if started >= self._heard:
            self._heard, self.count = started, count
