"""Drives a reading against a drifting list, with several requests out at a time and no threads."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count

from airflow_provider_sela.snapshot import Reading, Response, Stats, Verdict, Window
from tests.snapshot.drifting import DriftingList


@dataclass(frozen=True)
class Outcome:
    """What came of a read.

    :param verdict: its verdict.
    :param stats: what it took.
    :param lost: leads that existed throughout and were not seen.
    """

    verdict: Verdict
    stats: Stats
    lost: frozenset[int]


def read(
    leads: DriftingList,
    *,
    concurrency: int = 1,
    seed: int = 0,
    page_size: int = 1000,
    lateness: int = 250_000,
    max_requests: int = 20_000,
) -> Outcome:
    """Read a list to a verdict; answers arrive in random order."""
    chance = random.Random(seed)  # noqa: S311
    reading = Reading(page_size, lateness=lateness)
    clock = count()
    waiting: list[Window] = []
    out: list[tuple[Window, int]] = []
    seen: set[int] = set()
    for _ in range(max_requests):
        waiting.extend(reading.wanted())
        while waiting and len(out) < concurrency:
            out.append((waiting.pop(0), next(clock)))
        if not out:
            break
        window, started = out.pop(chance.randrange(len(out)))
        answer = leads.answer(window)
        seen.update(entry.id for entry in answer.entries)
        reading.record(
            Response(
                window, answer.entries, answer.count, answer.has_next, answer.date, started, next(clock),
                answer.gone,
            )
        )  # fmt: skip
    if reading.verdict is None:
        raise AssertionError(f"no verdict after {reading.stats.requests} requests")
    return Outcome(reading.verdict, reading.stats, frozenset(leads.stable - seen))


def walk(leads: DriftingList, *, page_size: int = 1000) -> tuple[int, frozenset[int]]:
    """Read a list page by page as everybody does; returns the requests and the leads that were lost."""
    seen: set[int] = set()
    for page in count(1):
        answer = leads.answer(Window(page, page_size))
        seen.update(entry.id for entry in answer.entries)
        if answer.gone or not answer.has_next:
            return page, frozenset(leads.stable - seen)
    raise AssertionError
