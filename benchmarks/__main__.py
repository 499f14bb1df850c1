"""All that is measured about speed, in one command.

Usage: ``uv run --group servers --group benchmarks python -m benchmarks``.

It compares with what one would use instead, each in an environment of its own (made by uv in
``build/benchmarks``), and with the limits. It prints each goal with what was measured, writes
``build/benchmarks/results.json``, and with ``--docs`` the tables and plots of ``docs/performance.md``. About
twenty-five minutes on two cores; ``--quick`` takes a few and says little about ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import PEERS, ROOT, Environments, machine
from benchmarks.goals import goals
from benchmarks.plots import DOCS
from benchmarks.report import draw, tables, write_docs
from benchmarks.suite import FULL, QUICK, Suite

GROUPS = (
    "reading_with_latency",
    "reading",
    "loading_postgres",
    "loading_duckdb",
    "loading_others",
    "growth",
    "imports",
    "steps",
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, default=GROUPS, help="measure these, keep the last of the others"
    )
    parser.add_argument("--quick", action="store_true", help="fewer leads, one round")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmarks", help="%(default)s")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md and its pictures")
    parser.add_argument("--again", action="store_true", help="measure nothing, use the last results")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = options.folder / "results.json"
    fresh = options.only == GROUPS and not options.again
    results = {} if fresh or not kept.exists() else json.loads(kept.read_text())
    if not options.again:
        for grown in measure(options.only, options.folder, results, quick=options.quick):
            results = grown
            kept.write_text(json.dumps(results, indent=2))
    for name, table in tables(results).items():
        print(f"\n{name}\n{table}")
    if options.docs:
        write_docs(results, DOCS / "performance.md")
        draw(results, DOCS / "pictures")
    missed = [goal for goal in goals(results) if not goal.met]
    print(f"\n{len(missed)} goals not met" if missed else "\nevery goal met")


def measure(
    groups: Sequence[str], folder: Path, others: Mapping[str, Any], *, quick: bool
) -> Iterator[dict[str, Any]]:
    """Run groups; gives all results after each of them, under the name of the group.

    :param others: results of groups that are not run, kept if they are of as many leads.
    """
    scale = QUICK if quick else FULL
    environments = Environments(folder)
    suite = Suite(scale, environments)
    peers = {peer: environments.versions(peer) for peer in PEERS}
    results: dict[str, Any] = dict(others) if others.get("leads") == scale.leads else {}
    results |= {"machine": machine(), "peers": peers, "leads": scale.leads, "rounds": scale.rounds}
    for group in groups:
        begun = time.monotonic()
        print(group, file=sys.stderr, flush=True)
        results[group] = getattr(suite, group)()
        print(f"  took {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        yield results


if __name__ == "__main__":
    main()
