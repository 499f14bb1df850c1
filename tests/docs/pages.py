"""The pages that people read, cut into what can be tested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?P<language>\w*)[^\n]*\n"
    r"(?P<code>.*?)^ *(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    """Blocks of code in one of the languages."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        if found["language"] in languages:
            code = re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
            line = text.count("\n", 0, found.start("ticks")) + 1
            yield Block(page, line, found["language"], code)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", page.read_text())


def table(page: Path, *head: str) -> list[dict[str, str]]:
    """Rows of the one table whose head begins with these cells."""
    found = []
    for part in re.findall(r"(?:^\|.*\n?)+", page.read_text(), re.MULTILINE):
        names, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
        if tuple(names[: len(head)]) == head:
            found.append([dict(zip(names, row, strict=True)) for row in rows])
    [rows_of_one] = found
    return rows_of_one


def word(cell: str) -> str:
    """What stands in backticks."""
    return cell.partition("`")[2].partition("`")[0]
