"""Prints what verified reads of a drifting list cost and prove, in simulation, next to a plain walk.

Each line is the same for every run: lists, writers and answers are seeded.

``python -m benchmarks.snapshot_simulation [--reads 20] [--leads 5000] [--cap 100] [--between 0.33]``
"""

from __future__ import annotations

import argparse
from statistics import median

from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST, SECOND
from tests.snapshot.simulation import read, walk

WRITES = (0, 0.2, 1.8, 5, 10)
CONCURRENCY = (1, 4, 8, 16)
COLUMNS = (
    "writes per request",
    "order",
    "connections",
    "leads lost under proof",
    "proven",
    "requests / plain walk (median, max)",
    "plain walk loses (median, max)",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reads", type=int, default=20, help="reads per line")
    parser.add_argument("--leads", type=int, default=5000)
    parser.add_argument("--cap", type=int, default=100, help="greatest page size")
    parser.add_argument("--between", type=float, default=1 / 3, help="share of writes between count and rows")
    parser.add_argument(
        "--milliseconds", type=int, default=100, help="time a request takes on the list's clock"
    )
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for writes in WRITES:
        habits = Habits(writes=writes, between=options.between, request=options.milliseconds * SECOND // 1000)
        for order in HONEST:
            plain = [walk(_list(order, habits, seed, options)) for seed in range(options.reads)]
            for concurrency in CONCURRENCY:
                print(_line(order, habits, concurrency, plain, options), flush=True)


def _list(order: str, habits: Habits, seed: int, options: argparse.Namespace) -> DriftingList:
    return DriftingList(order, leads=options.leads, cap=options.cap, habits=habits, seed=seed)


def _line(
    order: str,
    habits: Habits,
    concurrency: int,
    plain: list[tuple[int, frozenset[int]]],
    options: argparse.Namespace,
) -> str:
    outcomes = [
        read(_list(order, habits, seed, options), concurrency=concurrency, seed=seed)
        for seed in range(options.reads)
    ]
    proven = [outcome for outcome in outcomes if outcome.verdict.proven]
    walked = median(requests for requests, _ in plain)
    costs = [outcome.requests / walked for outcome in outcomes]
    losses = [len(lost) for _, lost in plain]
    cells = (
        habits.writes,
        order,
        concurrency,
        sum(len(outcome.lost) for outcome in proven),
        f"{len(proven) / len(outcomes):.0%}",
        f"{median(costs):.2f}, {max(costs):.2f}",
        f"{median(losses):.0f}, {max(losses)}",
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
