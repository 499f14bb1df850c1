"""The nasty cases from which fuzzing starts, and those that it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.target import check

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("case", CORPUS, ids=lambda path: path.name)
def test_any_answer_gives_rows_or_an_error_of_ours(case: Path) -> None:
    check(case.read_bytes())


def test_there_are_cases() -> None:
    assert len(CORPUS) > 20
