"""What the pages in ``docs`` say, as data."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"


def table(page: str, after: str) -> list[list[str]]:
    """Cells of the first table below a line of a page, without its head; code marks stay."""
    lines = (DOCS / page).read_text().partition(f"{after}\n")[2].splitlines()
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    assert len(rows) > 2, f"{page} has no table below {after!r}"
    return rows[2:]


def codes(cell: str) -> list[str]:
    """What stands in code marks; of ``a(1)`` to ``a(9)`` all that lie between."""
    found: list[str] = []
    for first, last in re.findall(r"`([^`]+)`(?: to `([^`]+)`)?", cell):
        found.append(first)
        if last:
            (low,), (high,) = re.findall(r"\((\d+)", first), re.findall(r"\((\d+)", last)
            found += [first.replace(f"({low}", f"({number}") for number in range(int(low) + 1, int(high) + 1)]
    return found


def statement(page: str, heading: str) -> str:
    """The SQL below a heading of a page."""
    return (DOCS / page).read_text().partition(f"{heading}\n")[2].partition("```sql\n")[2].partition("```")[0]
