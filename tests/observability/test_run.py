"""One run of a real Airflow: what reaches OpenLineage, the asset events and StatsD, and what must not."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_sela.api.leads import LEAD_FIELDS
from airflow_provider_sela.metrics import METRICS
from airflow_provider_sela.warehouse.tables import Mode
from tests.conftest import REPOSITORY
from tests.observability.conftest import PLANTED, Reports

pytestmark = pytest.mark.airflow

PAGE = (REPOSITORY / "docs" / "lineage.md").read_text()


_LINE = re.compile(
    r"airflow\.(?P<name>sela\.[a-z_.]+),conn_id=(?P<conn_id>\w+):(?P<value>[0-9.]+)\|(?P<type>c|ms)"
)


def test_an_asset_event_tells_counts_and_verdict(reports: Reports) -> None:
    table, file = (reports.asset_events[uri] for uri in ("x-duckdb://warehouse/leads", "x-files://leads"))
    assert {name: table[name] for name in ("verdict", "read", "new", "changed", "deleted", "nulled")} == {
        "verdict": "PROVEN(id)", "read": 250, "new": 250, "changed": 0, "deleted": 0, "nulled": 5,
    }  # fmt: skip
    assert (file["read"], file["verdict"]) == (250, "PROVEN(id)")
    assert "new" not in file
    assert reports.asset_events["x-xcom://leads"] == {"verdict": "ATOMIC", "read": 1}
    assert PLANTED not in str(reports.asset_events)


def test_airflow_finds_nothing_to_warn_of_in_how_the_operators_run(reports: Reports) -> None:
    assert "cannot be called outside" not in reports.output


def test_a_landing_names_the_server_that_it_read_and_the_table_that_it_wrote(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    assert read["namespace"] == reports.api.url.replace("http://", "sela://")
    assert read["name"] == "leads"
    assert written["namespace"] == f"duckdb://{reports.folder}/warehouse.duckdb"
    assert written["name"] == "leads"


def test_schemas_say_what_is_read_and_what_the_table_has(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    fields = [(field["name"], field["type"]) for field in read["facets"]["schema"]["fields"]]
    assert fields == [(field.name, field.kind.value) for field in LEAD_FIELDS]
    columns = {field["name"]: field["type"] for field in written["facets"]["schema"]["fields"]}
    assert list(columns) == [field.name for field in Mode.MERGE.layout.fields]
    assert (columns["id"], columns["metadata"]) == ("BIGINT", "JSON")


def test_counts_and_verdict_are_facets(reports: Reports) -> None:
    event = reports.event("to_sql")
    (read,), (written,) = event["inputs"], event["outputs"]
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 250
    (assertion,) = read["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"]) == ("complete", True)
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 250
    facet = event["run"]["facets"]["sela_read"]
    told = {name: value for name, value in facet.items() if not name.startswith("_")}
    # Answers come in any order, and the last ones of a read depend on it.
    assert told.pop("requests") in (6, 7)
    assert told == {
        "verdict": "PROVEN(id)", "scope": "full", "read": 250,
        "rejected": 0, "nulled": 5, "retries": 1, "repaired": 0, "passes": 1,
    }  # fmt: skip


def test_a_file_is_named_by_its_place(reports: Reports) -> None:
    (written,) = reports.event("to_file")["outputs"]
    assert (written["namespace"], written["name"]) == ("file", f"{reports.folder}/leads.parquet")
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 250
    assert [field["name"] for field in written["facets"]["schema"]["fields"]][-1] == "extra"


def test_leads_as_xcom_have_an_input_and_no_output(reports: Reports) -> None:
    event = reports.event("to_xcom")
    assert [dataset["name"] for dataset in event["inputs"]] == ["leads"]
    assert event["outputs"] == []


def test_a_function_that_reads_by_the_hook_names_its_input_too(reports: Reports) -> None:
    inputs = reports.event("own")["inputs"]
    assert {(read["namespace"], read["name"]) for read in inputs} == {
        (reports.api.url.replace("http://", "sela://"), "leads")
    }


def test_a_failed_landing_names_both_ends_without_rows_written(reports: Reports) -> None:
    assert reports.states["refused"] == "failed"
    event = reports.event("refused", "FAIL")
    assert event["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 250
    assert (event["outputs"][0]["name"], event["outputs"][0]["outputFacets"]) == ("refused", {})
    assert "nothing was written" in event["run"]["facets"]["errorMessage"]["message"]


def test_at_its_start_a_task_is_known_by_its_inlets_and_outlets(reports: Reports) -> None:
    (read,) = reports.event("to_sql", "START")["inputs"]
    assert (read["namespace"], read["name"]) == ("sela://api.trysela.com", "leads")


def test_no_event_holds_a_value_of_a_lead_or_the_token(reports: Reports) -> None:
    """The filter of ``to_xcom`` is the author's own, and an argument of the task."""
    for event in reports.lineage:
        assert reports.api.token not in json.dumps(event)
        if event["job"]["name"] not in ("reporting.to_xcom", "reporting"):
            assert PLANTED not in json.dumps(event).replace(f"token-{PLANTED}", ""), event["job"]["name"]


def sent(reports: Reports) -> dict[str, list[float]]:
    """Values by name; fails where a line of ours is not of the documented form."""
    found: dict[str, list[float]] = {}
    for line in reports.statistics:
        if ".sela." in line:
            parts = _LINE.fullmatch(line)
            assert parts, line
            assert METRICS[parts["name"]][0] == {"c": "counter", "ms": "timer"}[parts["type"]]
            assert parts["conn_id"] == "sela_default"
            found.setdefault(parts["name"], []).append(float(parts["value"]))
    return found


def test_a_run_sends_requests_retries_waits_leads_durations_and_verdicts(reports: Reports) -> None:
    found = sent(reports)
    assert sum(found["sela.requests"]) == len(reports.api.requests)
    assert sum(found["sela.retries"]) == 1
    assert sum(found["sela.rate_limit.wait"]) >= 300
    assert sum(found["sela.leads"]) == 250 + 250 + 1 + 250
    assert (sum(found["sela.verdict.proven"]), sum(found["sela.verdict.atomic"])) == (3, 1)
    assert len(found["sela.read.duration"]) == 4
    assert len(found["sela.load.duration"]) == 3
    assert all(milliseconds > 0 for milliseconds in found["sela.load.duration"])


def test_no_statistic_holds_a_value_of_a_lead_or_the_token(reports: Reports) -> None:
    assert reports.statistics
    assert PLANTED not in "".join(reports.statistics)


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


def test_every_count_that_the_page_promises_is_in_the_asset_event(reports: Reports) -> None:
    (sentence,) = re.findall(r"such as (`verdict`.*?);", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) <= set(reports.asset_events["x-duckdb://warehouse/leads"])
