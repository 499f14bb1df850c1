"""The page on lineage, assets and statistics says what the code does."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_sela.metrics import METRICS
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "lineage.md").read_text()


def test_the_table_of_statistics_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `(sela\.[a-z_.]+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {name: (kind, meaning) for name, kind, meaning in rows} == METRICS


def test_the_examples_are_two_dags_of_which_one_follows_the_other() -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)  # noqa: S102 (the docs)
    land = names["producer"].get_task("land_leads")
    assert [asset.uri for asset in land.inlets] == ["sela://api.trysela.com/leads"]
    assert names["consumer"].schedule == land.outlets
    assert set(names["consumer"].task_ids) == {"anything_new", "score"}
