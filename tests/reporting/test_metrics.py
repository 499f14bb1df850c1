"""Statistics: what a real run sends to a real StatsD port, and what a broken backend may not do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_sela import metrics
from airflow_provider_sela.metrics import METRICS
from tests.conftest import REPOSITORY
from tests.reporting.conftest import PLANTED, Reports

_LINE = re.compile(
    r"airflow\.(?P<name>sela\.[a-z_.]+),conn_id=(?P<conn_id>\w+):(?P<value>[0-9.]+)\|(?P<type>c|ms)"
)


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


@pytest.mark.airflow
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


@pytest.mark.airflow
def test_no_statistic_holds_a_value_of_a_lead_or_the_token(reports: Reports) -> None:
    assert reports.statistics
    assert PLANTED not in "".join(reports.statistics)


def test_every_statistic_in_the_code_is_listed_and_every_listed_one_is_in_the_code() -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "airflow_provider_sela").rglob("*.py"))
    used = set(re.findall(r'metrics\.(?:count|duration)\(f?"(sela\.[^"]+)"', code))
    verdicts = {name for name in METRICS if name.startswith("sela.verdict.")}
    assert used == {*METRICS} - verdicts | {"sela.verdict.{self.verdict.kind.name.lower()}"}
    from airflow_provider_sela.snapshot.verdict import Kind

    assert verdicts == {f"sela.verdict.{kind.name.lower()}" for kind in Kind}


def test_a_backend_that_fails_breaks_nothing(monkeypatch: pytest.MonkeyPatch, hook: Any) -> None:
    from airflow.providers.common.compat.sdk import Stats

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(Stats, "incr", fail, raising=False)
    monkeypatch.setattr(Stats, "timing", fail, raising=False)
    metrics.count("sela.requests", "sela_default")
    with hook.snapshot() as snapshot:
        assert len(snapshot) == 250
