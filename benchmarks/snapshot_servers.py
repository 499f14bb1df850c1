"""Prints what verified reads prove of servers that are not what the proof assumes, in simulation.

Each line is the same for every run: lists, writers and answers are seeded.

``python -m benchmarks.snapshot_servers [--reads 60] [--parts 0] [--only cache]``
"""

from __future__ import annotations

import argparse
from collections import Counter
from statistics import median

from tests.snapshot.servers import SERVERS
from tests.snapshot.simulation import read_server

COLUMNS = (
    "server",
    "proven",
    "false proofs",
    "converged",
    "of them incomplete",
    "unverified",
    "requests / plain walk (median, max)",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reads", type=int, default=60, help="reads per line")
    parser.add_argument("--parts", type=int, default=0, help="parts of each read; 0 for one process")
    parser.add_argument("--only", default="", help="servers whose name holds this")
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for name in SERVERS:
        if options.only in name:
            print(_line(name, options), flush=True)


def _line(name: str, options: argparse.Namespace) -> str:
    kinds: Counter[str] = Counter()
    costs = []
    for seed in range(options.reads):
        read = read_server(name, seed, parts=options.parts)
        kind = "proven" if read.verdict.proven else str(read.verdict).partition("(")[0].lower()
        kinds[kind] += 1
        kinds[f"{kind}, incomplete"] += bool(read.lost)
        costs.append(read.requests / read.plain)
    cells = (
        name,
        kinds["proven"],
        kinds["proven, incomplete"],
        kinds["converged"],
        kinds["converged, incomplete"],
        kinds["unverified"],
        f"{median(costs):.2f}, {max(costs):.1f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
