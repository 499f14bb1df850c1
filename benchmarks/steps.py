"""Where the CPU of a load goes: each step on its own, in one thread, on the same leads.

``python -m benchmarks.steps [--leads 20000]`` prints microseconds a lead. The steps of a whole load come to a
little more, because what they work on is then less often in the processor's caches.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_sela.api.content import content_hash
from airflow_provider_sela.api.documented import documented_content
from airflow_provider_sela.api.raw import RawLeads, raw_page
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Entries, Response, Window
from airflow_provider_sela.storage.csv_lines import csv_line
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.digests import lead_digester
from airflow_provider_sela.warehouse.postgres import PostgresDialect

_PAGE = 1000
_ROUNDS = 5
# Of the answers, in microseconds: later than all that the leads hold.
_DATE = 2 * 10**15


def measure(leads: int = 20_000) -> dict[str, float]:
    """Microseconds a lead of each step of a load into PostgreSQL, the best of some rounds."""
    made: list[Any] = sample_leads(leads)
    bodies = [_body(made, start) for start in range(0, leads, _PAGE)]
    windows = [Window(number + 1, _PAGE) for number in range(len(bodies))]
    answers = [raw_page(body, window.page) for body, window in zip(bodies, windows, strict=True)]
    replies = [Reply.from_page(window, answer, None) for window, answer in zip(windows, answers, strict=True)]
    raw = [lead for reply in replies for lead in reply.leads]
    every = RawLeads.from_leads(raw)
    sent = [lead.json for lead in raw]
    contents = [found[0] for found in map(documented_content, sent) if found]
    hashes = list(map(content_hash, contents))
    digest = lead_digester(PostgresDialect())

    def spool() -> None:
        same = b"x" * 900
        with Spool(lambda lead, tell: same) as target:
            for reply in replies:
                target.add_all(reply.leads)

    steps: dict[str, Callable[[], object]] = {
        "page: checked, cut into leads, their ids and times": lambda: _each(
            raw_page, bodies, range(1, len(bodies) + 1)
        ),
        "content of the row: texts, times in UTC, metadata sorted, as JSON": lambda: _each(
            documented_content, sent
        ),
        "hash of the content": lambda: _each(content_hash, contents),
        "digest of the lead": lambda: _each(digest, sent),
        "line that COPY takes": lambda: _each(csv_line, contents, hashes, hashes),
        "spool: index, one write for each page": spool,
        "order, coverage and proof": lambda: _prove(every),
    }
    return {name: min(_spent(step) for _ in range(_ROUNDS)) / leads * 1e6 for name, step in steps.items()}


def _each(work: Callable[..., object], *arguments: Iterable[object]) -> None:
    """Work on one after the other and keep nothing, as a load does."""
    deque(map(work, *arguments), maxlen=0)


def _body(leads: list[Any], start: int) -> bytes:
    following = f"?page={start // _PAGE + 2}" if start + _PAGE < len(leads) else None
    page = {"count": len(leads), "next": following, "previous": None, "results": leads[start : start + _PAGE]}
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()


def _prove(leads: RawLeads) -> None:
    """A read of a list that stands still, from answers that are there already."""
    reading, tick, count = Reading(_PAGE), 0, len(leads)
    while reading.verdict is None:
        for window in reading.wanted():
            shown = slice(window.offset, window.stop)
            entries = Entries(leads.ids[shown], leads.created[shown], leads.modified[shown])
            more = window.stop < count
            reading.record(Response(window, entries, count, more, _DATE, tick, tick + 1, gone=not entries))
            tick += 2


def _spent(step: Callable[[], object]) -> float:
    begun = time.process_time()
    step()
    return time.process_time() - begun


def main() -> None:
    """Print the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--leads", type=int, default=20_000)
    for name, microseconds in measure(parser.parse_args().leads).items():
        print(f"{microseconds:6.1f}  {name}")


if __name__ == "__main__":
    main()
