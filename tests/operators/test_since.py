"""A file, an XCom and a snapshot of what was created or changed since a moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.hooks.sela import SelaHook, open_snapshot
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.reading.continuation import Continuation
from airflow_provider_sela.snapshot.reach import Scope
from airflow_provider_sela.storage.spool import Tell
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.testing.samples import sample_lead

CHANGED = [28000 + number for number in range(300, 420, 3)]


class ByChange(SelaApi):
    """Shows the lead that changed last first."""

    key = "modified_time"

    def select(self, filters: dict[str, str]) -> list[Any]:
        return sorted(super().select(filters), key=lambda lead: lead[self.key], reverse=True)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ByChange]:
    leads = [sample_lead(28000 + number) for number in range(1200)]
    with ByChange(leads, max_page_size=100) as api:
        for lead in CHANGED:
            api.update(lead, status="LOST")
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        yield api


SINCE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("key", ["modified_time", "id"])
def test_a_file_holds_what_has_changed_since_whatever_the_order(
    api: ByChange, tmp_path: Path, key: str
) -> None:
    api.key = key
    path = tmp_path / "leads.jsonl"
    operator = SelaLeadsOperator(task_id="leads", path=str(path), since=str(SINCE))
    result = operator.execute({})
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == CHANGED
    assert (result["scope"], result["since"], result["read"]) == ("changed", SINCE.isoformat(), len(CHANGED))
    manifest = json.loads(path.with_name("leads.jsonl.manifest.json").read_text())
    assert (manifest["scope"], manifest["since"]) == ("changed", SINCE.isoformat())
    if key == "id":
        assert result["why_full"].startswith("the list is sorted by -id")
        assert manifest["why_full"] == result["why_full"]
    else:
        assert result["why_full"] is None
        assert result["verdict"] == "PROVEN(-modified_time)"
        assert result["requests"] < 12


def test_an_xcom_holds_what_has_changed_since(api: ByChange) -> None:
    leads = SelaLeadsOperator(task_id="leads", since=SINCE).execute({})
    assert [lead["id"] for lead in leads] == CHANGED


def test_a_snapshot_of_a_hook_takes_a_moment_too(api: ByChange) -> None:
    with SelaHook().snapshot(since="2026-06-01T00:00:00Z") as snapshot:
        assert sorted(lead["id"] for lead in snapshot) == CHANGED
        assert str(snapshot.verdict) == "PROVEN(-modified_time)"
        assert snapshot.anchor is None
        assert snapshot.stats.doubt == "of the list only what is changed was read"


def test_lines_are_made_while_answers_are_waited_for(api: ByChange) -> None:
    """So that nobody waits for them once the last answer is in. Where nothing says what is new, everything is
    read, and lines of it are made when they are asked for."""
    made: list[int] = []

    def encode(lead: RawLead, tell: Tell) -> bytes:
        made.append(lead.id)
        return lead.json

    api.latency = 0.3
    changed = Continuation(Scope.CHANGED, since=SINCE)
    with open_snapshot(SelaHook(), {}, encoder=encode, continuation=changed) as snapshot:
        assert sorted(made) == CHANGED
        assert sorted(lead["id"] for lead in snapshot) == CHANGED
    assert len(made) == len(CHANGED)
    made.clear()
    api.latency = 0
    with open_snapshot(SelaHook(), {}, encoder=encode) as snapshot:
        assert made == []
        assert len(list(snapshot)) == len(made) == 1200


def test_a_moment_without_a_time_zone_is_refused_before_any_request(api: ByChange) -> None:
    with pytest.raises(SelaRequestError, match="since has no time zone"):
        SelaHook().snapshot(since="2026-06-01T00:00:00")
    with pytest.raises(SelaRequestError, match="since has no time zone"):
        SelaLeadsOperator(task_id="leads", since="2026-06-01")
    with pytest.raises(SelaRequestError, match="they do not go with since"):
        SelaLeadsOperator(task_id="leads", since=SINCE, parts=[])
    assert api.requests == []


def test_a_moment_in_the_future_is_told(api: ByChange) -> None:
    with SelaHook().snapshot(since=datetime.now(UTC) + timedelta(days=1)) as snapshot:
        assert len(snapshot) == 0
        assert snapshot.stats.why_full == "the moment from which on is dated after now"
