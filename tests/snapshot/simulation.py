"""Drives a reading against a drifting list, with several requests out at a time and no threads.

Either one process reads, or one plans, several read parts, and a last one goes on from what they found.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from airflow_provider_sela.snapshot.attempts import LATENESS
from airflow_provider_sela.snapshot.parts import resume, split_into_parts
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.verdict import Verdict
from airflow_provider_sela.snapshot.windows import Response, Window
from tests.snapshot.continuing import response_of
from tests.snapshot.drifting import DriftingList
from tests.snapshot.rows import SECOND
from tests.snapshot.servers import SERVERS


@dataclass(frozen=True)
class Outcome:
    """What came of a read.

    :param verdict: its verdict.
    :param lost: leads that existed throughout and were not seen.
    :param requests: answers that it was told of.
    :param distinct: leads in them.
    :param passes: whole reads.
    :param orders: that none of them contradicts.
    :param plain: requests of a plain walk over as many leads.
    """

    verdict: Verdict
    lost: frozenset[int]
    requests: int
    distinct: int
    passes: int
    orders: list[str]
    plain: int = 0

    @property
    def reasoned(self) -> bool:
        """Whether there is a reason where one is due: no proof, or one that allows for late changes."""
        moving = any("modified_time" in order for order in self.orders)
        due = not self.verdict.proven or (str(self.verdict) != "ATOMIC" and moving)
        return bool(self.verdict.reason) is due


def read_server(name: str, seed: int, *, parts: int = 0) -> Outcome:
    """Read one of :data:`~tests.snapshot.servers.SERVERS` to a verdict, in so many parts; 0 for none."""
    leads = SERVERS[name](seed)
    plain = -(-len(leads) // leads.cap)
    concurrency = (1, 4)[seed // 3 % 2]
    if name.endswith("warm"):
        read(leads, concurrency=concurrency, seed=seed + 1)
        leads.begin()
    if parts:
        outcome = read_in_parts(leads, parts=parts, concurrency=concurrency, seed=seed)
    else:
        outcome = read(leads, concurrency=concurrency, seed=seed)
    return replace(outcome, plain=plain)


def read(
    leads: DriftingList,
    *,
    concurrency: int = 1,
    seed: int = 0,
    page_size: int = 1000,
    lateness: Sequence[int] = LATENESS,
    max_requests: int = 20_000,
) -> Outcome:
    """Read a list to a verdict; answers arrive in random order."""
    chance = random.Random(seed)  # noqa: S311
    reader = _Reader(leads, Reading(page_size, lateness=lateness))
    reader.finish([], count(), concurrency=concurrency, chance=chance, max_requests=max_requests)
    return reader.outcome()


def read_in_parts(
    leads: DriftingList,
    *,
    parts: int,
    lost: float = 0.0,
    pause: int = 0,
    concurrency: int = 1,
    seed: int = 0,
    page_size: int = 1000,
    lateness: Sequence[int] = LATENESS,
    max_requests: int = 20_000,
) -> Outcome:
    """Read a list in parts to a verdict.

    Parts are read at different speeds, and some only when others have ended.

    :param parts: parts at most.
    :param lost: share of the parts whose answers are lost after they were read.
    :param pause: writes, one a second, before the last process begins, as when it is retried much later.
    """
    chance = random.Random(seed)  # noqa: S311
    planner = _Reader(leads, Reading(page_size, lateness=lateness))
    first: list[Response] = []
    clock = count()
    windows = planner.reading.wanted()
    while len(windows) == 1:
        first.append(planner.take(planner.ask(windows[0]), next(clock), next(clock)))
        windows = planner.reading.wanted()
    found = _read_parts(planner, split_into_parts(windows, parts), lost, concurrency, chance)
    for _ in range(pause):
        leads.now += SECOND
        leads.write()
    last = _Reader(leads, Reading(page_size, lateness=lateness))
    until = max((response.date or 0 for response in found), default=None)
    waiting, tick = resume(last.reading, first, found, last.take, until=until)
    last.finish(waiting, count(tick), concurrency=concurrency, chance=chance, max_requests=max_requests)
    return last.outcome()


def _read_parts(
    reader: _Reader, runs: list[list[Window]], lost: float, concurrency: int, chance: random.Random
) -> list[Response]:
    found: list[list[Response]] = [[] for _ in runs]
    speeds = [chance.choice((1, 1, 1, 10, 1000)) for _ in runs]
    while any(runs):
        number = chance.choices(
            range(len(runs)), [bool(run) * speed for run, speed in zip(runs, speeds, strict=True)]
        )[0]
        window = runs[number].pop(chance.randrange(min(len(runs[number]), concurrency)))
        found[number].append(reader.ask(window))
    kept = [response for answers in found if chance.random() >= lost for response in answers]
    return chance.sample(kept, len(kept))


class _Reader:
    """One process: a reading, and the ids that it was given."""

    def __init__(self, leads: DriftingList, reading: Reading) -> None:
        self.leads = leads
        self.reading = reading
        self.seen: set[int] = set()

    def ask(self, window: Window) -> Response:
        """Ask for a window; nobody has told the tick yet."""
        sent, answer = self.leads.now, self.leads.answer(window)
        return response_of(window, answer, 0, 0, self.leads.now - sent)

    def take(self, response: Response, started: int, ended: int) -> Response:
        """Record an answer."""
        self.seen.update(entry.id for entry in response.entries)
        self.reading.record(replace(response, started=started, ended=ended))
        return response

    def finish(
        self,
        waiting: list[Window],
        clock: Iterator[int],
        *,
        concurrency: int,
        chance: random.Random,
        max_requests: int,
    ) -> None:
        """Read to a verdict."""
        out: list[tuple[Window, int, int]] = []
        for _ in range(max_requests):
            waiting.extend(self.reading.wanted())
            while waiting and len(out) < concurrency:
                out.append((waiting.pop(0), next(clock), self.leads.now))
            if not out:
                break
            window, started, sent = out.pop(chance.randrange(len(out)))
            response = self.ask(window)
            self.take(replace(response, took=self.leads.now - sent), started, next(clock))
        if self.reading.verdict is None:
            raise AssertionError(f"no verdict after {self.reading._record.requests} requests")

    def outcome(self) -> Outcome:
        assert self.reading.verdict is not None
        record = self.reading._record
        return Outcome(
            self.reading.verdict,
            frozenset(self.leads.stable - self.seen),
            record.requests,
            len(record.known),
            self.reading.passes,
            list(map(str, record.evidence.supported())),
        )


def walk(leads: DriftingList, *, page_size: int = 1000) -> tuple[int, frozenset[int]]:
    """Read a list page by page as everybody does; returns the requests and the leads that were lost."""
    seen: set[int] = set()
    for page in count(1):
        answer = leads.answer(Window(page, page_size))
        seen.update(entry.id for entry in answer.entries)
        if answer.gone or not answer.has_next:
            return page, frozenset(leads.stable - seen)
    raise AssertionError
