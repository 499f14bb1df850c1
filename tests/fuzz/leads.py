"""Coverage-guided fuzzing of page decoding and of the way from a lead to its row.

::

    uv run --group fuzz python -m tests.fuzz.leads -max_total_time=600

Arguments are those of libFuzzer. What breaks a promise is written to the working directory as ``crash-…``:
put it into ``tests/fuzz/corpus`` under the name of its case, where every run of the tests checks it again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["airflow_provider_sela"]):
    from airflow_provider_sela.api.leads import LEAD_FIELDS
    from tests.fuzz.target import check

CORPUS = Path(__file__).parent / "corpus"
_WORDS = (
    '"count":', '"results":[', '"next":', '"previous":', "null", "true", "false", "NaN", "-Infinity", "1e999",
    "\\u0000", "\\ud800", "9007199254740993", "9223372036854775808", "2026-02-30T00:00:00+00:00", "?page=2",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "[[[[", "{}",
)  # fmt: skip


def main() -> None:
    """Fuzz until libFuzzer's limit."""
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder, "words")
        escaped = [word.replace("\\", "\\\\").replace('"', '\\"') for word in _WORDS]
        names = [f'\\"{field.name}\\":' for field in LEAD_FIELDS]
        words.write_text("".join(f'"{word}"\n' for word in escaped + names))
        found = Path(folder, "found")
        found.mkdir()
        # What is found is written to the first folder.
        atheris.Setup([*sys.argv, f"-dict={words}", str(found), str(CORPUS)], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
