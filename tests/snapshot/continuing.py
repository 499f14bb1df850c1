"""Loads one after the other of a drifting list: one of everything, then those of what is new."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import count

from airflow_provider_sela.snapshot.anchor import Anchor
from airflow_provider_sela.snapshot.attempts import LATENESS
from airflow_provider_sela.snapshot.partial import PartialReading
from airflow_provider_sela.snapshot.reach import Reach, Scope
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Entry, Response, Window
from tests.snapshot.drifting import Answer, DriftingList
from tests.snapshot.rows import SECOND, Row

MINUTE = 60 * SECOND


@dataclass
class Loads:
    """What a table has after some loads.

    :param leads: the list that is loaded.
    :param scope: what the loads after the first are to bring.
    :param lookback: microseconds.
    :param seed: of the order in which answers come.

    :ivar table: leads by id, in the newest version loaded.
    :ivar refused: why each of the loads read everything; empty for those of what is new.
    :ivar requests: of each load.
    :ivar before: the list when the last load began.
    :ivar oldest: the moment down to which the last load read; None if it read everything.
    :ivar proven: whether the last load is.
    """

    leads: DriftingList
    scope: Scope
    lookback: int = 10 * MINUTE
    concurrency: int = 1
    seed: int = 0
    lateness: tuple[int, ...] = LATENESS
    table: dict[int, Entry] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    before: dict[int, Row] = field(default_factory=dict)
    oldest: Reach | None = None
    proven: bool = False
    anchor: Anchor | None = None

    def load(self) -> None:
        """Load once, as the operator does."""
        leads, anchor = self.leads, self.anchor
        leads.begin()
        self.before = {row.id: row for row in leads.rows()}
        self._changes = {lead: len(stamps) for lead, stamps in leads.changes.items()}
        started, asked = leads.now // SECOND * SECOND, leads.requests
        refused, read, self.oldest = "no anchor", False, None
        if anchor is not None:
            reach = Reach(anchor.floor - self.lookback, anchor.low_id)
            partial = PartialReading(1000, self.scope, reach, anchor, lateness=self.lateness)
            seen = self._read(partial)
            held = seen.keys() & self.table.keys()
            refused = partial.refusal or partial.missing(held, min(anchor.known, len(self.table)))
            if not refused:
                read, self.proven, self.oldest = True, True, reach
                self.anchor = partial.anchor(held, started=started, lookback=self.lookback)
        if not read:
            full = Reading(1000, lateness=self.lateness)
            seen = self._read(full)
            assert full.verdict is not None
            self.proven = full.verdict.proven
            self.anchor = full.anchor(started=started, lookback=self.lookback)
        self.refused.append(refused)
        self.requests.append(leads.requests - asked)
        self.table |= seen

    def stale(self) -> set[int]:
        """Leads that existed throughout the last load, and that the table lacks in the version of its
        beginning or a later one."""
        return {
            lead
            for lead, row in self.before.items()
            if lead in self.leads.stable and not self._is_current(row) and self._is_due(row)
        }

    def excused(self) -> set[int]:
        """Leads whose last change, or whose creation, showed later than ``lookback`` allows. In a list sorted
        by id, those too whose ids do not rise, as nothing else tells when they came."""
        habits, shown, added = self.leads.habits, self.leads.shown, self.leads.added
        if "id" in self.leads.order and (habits.lower or habits.reused):
            return set(self.before)
        return {
            lead
            for lead, row in self.before.items()
            if row.modified < shown.get(lead, 0) - self.lookback
            or (self.scope is Scope.NEW and row.created < added.get(lead, 0) - self.lookback)
        }

    def _is_current(self, row: Row) -> bool:
        later = self.leads.changes.get(row.id, [])[self._changes.get(row.id, 0) :]
        return row.id in self.table and self.table[row.id].modified in (row.modified, *later)

    def _is_due(self, row: Row) -> bool:
        return self.oldest is None or self.scope is Scope.CHANGED or row.id not in self.table

    def _read(self, reading: Reading | PartialReading) -> dict[int, Entry]:
        chance, clock = random.Random(self.seed + self.leads.requests), count()  # noqa: S311
        seen: dict[int, Entry] = {}
        out: list[tuple[Window, int, int, Answer | None]] = []
        waiting: list[Window] = []
        while not reading.over:
            while len(out) < self.concurrency:
                waiting.extend([] if waiting else reading.wanted())
                if not waiting:
                    break
                window, sent = waiting.pop(0), self.leads.now
                # An answer may be on its way for long, and be dated by who passes it on.
                early = self.leads.answer(window) if chance.random() < 0.2 else None
                out.append((window, next(clock), sent, early))
            window, started, sent, early = out.pop(chance.randrange(len(out)))
            answer = replace(early, date=self.leads.date()) if early else self.leads.answer(window)
            for entry in answer.entries:
                if entry.id not in seen or (seen[entry.id].modified or 0) <= (entry.modified or 0):
                    seen[entry.id] = entry
            took = self.leads.now - sent
            reading.record(response_of(window, answer, started, next(clock), took))
        return seen


def response_of(
    window: Window, answer: Answer, started: int, ended: int, took: int | None = None
) -> Response:
    """An answer as a dialogue takes it."""
    return Response(
        window, answer.entries, answer.count, answer.has_next, answer.date, started, ended, answer.gone,
        age=answer.age, expires=answer.expires, took=took,
    )  # fmt: skip
