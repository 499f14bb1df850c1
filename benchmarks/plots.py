"""Draws the figures that stand in tables of the docs, so that a picture and its table cannot disagree.

Usage: ``uv run --group benchmarks python -m benchmarks.plots``. Run it after a table has changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Write all pictures."""
    prepare()
    completeness(DOCS / "pictures" / "completeness_cost.svg")
    waiting(DOCS / "pictures" / "waiting.svg")
    parts(DOCS / "pictures" / "parts_speed.svg")


def completeness(path: Path) -> None:
    """What a verified read costs and what a plain walk loses, by how much is written meanwhile."""
    rows = table("completeness.md", "writes per request")
    names = [row[0] for row in rows]
    figure, (left, right) = _figure(2)
    left.bar(names, [numbers(row[3])[-1] for row in rows], color="#3f51b5")
    left.set(
        xlabel="writes per request", ylabel="requests of a verified read,\nas a multiple of a plain walk"
    )
    right.bar(names, [numbers(row[4])[-1] for row in rows], color="#c62828", label="plain walk")
    right.bar(names, [numbers(row[1])[-1] for row in rows], color="#3f51b5", label="verified read")
    right.set(xlabel="writes per request", ylabel="leads lost of 5,000, at worst")
    right.legend(frameon=False)
    save(figure, path)


def waiting(path: Path) -> None:
    """Requests and processor time of many waiters, each asking for itself or all sharing."""
    rows = [row for row in table("waiting.md", "waiting triggers") if row[1] in ("plain", "shared")]
    figure, axes = _figure(2)
    for way, colour in (("plain", "#c62828"), ("shared", "#3f51b5")):
        mine = [row for row in rows if row[1] == way]
        waiters = [numbers(row[0])[0] for row in mine]
        for each, column in zip(axes, (2, 4), strict=True):
            each.plot(waiters, [numbers(row[column])[0] for row in mine], "o-", color=colour, label=way)
    axes[0].set(xlabel="waiting triggers", ylabel="requests a minute")
    axes[1].set(xlabel="waiting triggers", ylabel="% of one core")
    axes[0].legend(frameon=False)
    save(figure, path)


def parts(path: Path) -> None:
    """How fast a slow server is read, by how many tasks read it."""
    rows = table("parts.md", "", "connections")
    figure, (axes,) = _figure(1)
    axes.barh(
        [row[0].replace("`", "") for row in rows][::-1],
        [numbers(row[3])[0] for row in rows][::-1],
        color="#3f51b5",
    )
    axes.set(xlabel="leads a minute")
    save(figure, path)


def table(page: str, *head: str) -> list[list[str]]:
    """Cells of the rows of a table, which is known by its first heads."""
    lines = (DOCS / page).read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    begin = next(at for at, found in enumerate(cells) if found[: len(head)] == list(head)) + 2
    end = next((at for at in range(begin, len(cells)) if not cells[at]), len(cells))
    return cells[begin:end]


def numbers(cell: str) -> list[float]:
    """Numbers in a cell, first to last."""
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", cell.replace(",", ""))]


def _figure(parts: int) -> tuple[Any, Sequence[Any]]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, parts, figsize=(4.2 * max(parts, 1.6), 2.8), layout="constrained", squeeze=False
    )
    for each in axes[0]:
        each.grid(alpha=0.25)
        each.set_axisbelow(True)
    return figure, axes[0]


def prepare() -> None:
    """Draw into files, the same bytes for the same figures."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "sela", "font.family": "sans-serif"})
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})


def save(figure: Any, path: Path) -> None:
    """Write a picture that has no date and no spaces at the ends of its lines."""
    figure.savefig(path, metadata={"Date": None})
    # matplotlib ends lines of paths with a space.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


if __name__ == "__main__":
    main()
