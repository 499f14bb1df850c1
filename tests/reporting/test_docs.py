"""The page on lineage, assets and statistics says what the code does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_sela.metrics import METRICS
from tests.conftest import REPOSITORY
from tests.reporting.conftest import Reports

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


@pytest.mark.airflow
def test_every_part_of_an_event_that_the_page_names_is_in_a_real_one(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    facets = {*read["facets"], *read["inputFacets"], *written["outputFacets"], *event["run"]["facets"]}
    facets |= {*reports.event("refused", "FAIL")["run"]["facets"]}
    named = set(re.findall(r"^\| (?:its|run facet) `(\w+)`", PAGE, re.MULTILINE))
    assert named == {
        "schema", "inputStatistics", "dataQualityAssertions", "outputStatistics", "sela_read", "errorMessage",
    }  # fmt: skip
    assert named <= facets
    told = {name for name in event["run"]["facets"]["sela_read"] if not name.startswith("_")}
    (row,) = re.findall(r"^\| run facet `sela_read` \| (.+) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == told


@pytest.mark.airflow
def test_every_count_that_the_page_promises_is_in_the_asset_event(reports: Reports) -> None:
    (sentence,) = re.findall(r"such as (`verdict`.*?);", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) <= set(reports.asset_events["x-duckdb://warehouse/leads"])
