"""Measures the fault matrix and writes it into ``docs/faults.md``: ``python -m tests.fault_matrix.table``."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.fault_matrix.expected import EXPECTED, SURFACES, Expected

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "faults.md"
_TITLES = {False: "strikes once", True: "stays"}
_SECTION = "<!-- {} of the fault matrix, written by python -m tests.fault_matrix.table -->"

Cells = dict[tuple[str, bool], dict[str, dict[str, Any]]]


class _Recorder:
    def __init__(self) -> None:
        self.cells: Cells = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, cell in report.user_properties if report.when == "call" else ():
            if name == "cell" and isinstance(cell, dict):
                self.cells[cell["fault"], cell["lasting"]][cell["surface"]] = cell


def main() -> int:
    """Run every cell and write what came of it, if all came as declared."""
    recorder = _Recorder()
    folder = Path(__file__).parent
    ended = pytest.main([str(folder), "-q", "-k", "test_a_fault_ends_as_declared"], plugins=[recorder])
    if ended:
        return int(ended)
    text = PAGE.read_text()
    before, _, rest = text.partition(_SECTION.format("begin"))
    _, _, after = rest.partition(_SECTION.format("end"))
    tables = "\n".join([_SECTION.format("begin"), *_tables(recorder.cells), _SECTION.format("end")])
    PAGE.write_text(before + tables + after)
    return 0


def committed() -> dict[tuple[str, bool], dict[str, Expected]]:
    """The cells of the committed page."""
    found: dict[tuple[str, bool], dict[str, Expected]] = {}
    lasting = False
    for line in PAGE.read_text().splitlines():
        if line.startswith("### The fault "):
            lasting = line.endswith(_TITLES[True])
        columns = [column.strip() for column in line.strip("|").split("|")]
        if columns[0] in EXPECTED and len(columns) == len(SURFACES) + 2:
            pairs = (column.rpartition(" ") for column in columns[1:-1])
            cells = [Expected(outcome, int(requests)) for outcome, _, requests in pairs]
            found[columns[0], lasting] = dict(zip(SURFACES, cells, strict=True))
    return found


def _tables(cells: Cells) -> list[str]:
    lines: list[str] = []
    for lasting, title in _TITLES.items():
        lines += ["", f"### The fault {title}", "", _row(["fault", *SURFACES, "longest"])]
        lines.append(_row(["---"] * (len(SURFACES) + 2)))
        for fault in EXPECTED:
            row = cells.get((fault, lasting))
            if row:
                shown = [f"{row[name]['outcome']} {row[name]['requests']}" for name in SURFACES]
                longest = max(cell["seconds"] for cell in row.values())
                lines.append(_row([fault, *shown, f"{longest:.1f} s"]))
    lines += ["", "### What the error says", "", _row(["fault", "the error, raised by `iter_leads`"])]
    lines.append(_row(["---"] * 2))
    for fault in EXPECTED:
        said = cells[fault, True]["iter_leads"]["said"]
        if said:
            lines.append(_row([fault, said.replace("|", "\\|")]))
    return [*lines, ""]


def _row(columns: list[str]) -> str:
    return f"| {' | '.join(columns)} |"


if __name__ == "__main__":
    sys.exit(main())
