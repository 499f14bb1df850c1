"""The leads of the sample API change as a test says, and only then."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import Any

import pytest
import time_machine

from airflow_provider_sela.testing import SelaApi, sample_lead, sample_leads
from tests.testing.client import ask, ask_once, connect


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_request_changes_a_lead(method: str) -> None:
    with SelaApi(leads=5) as api:
        connection = connect(api.url)
        for target in ("/api/leads/", "/api/leads/28000/"):
            assert ask(connection, target, method=method, body=b'{"email": "x@example.com"}').status == 405
        connection.close()
        assert api.leads == {lead["id"]: lead for lead in sample_leads(5)}
        assert api.connections == 1


def test_a_lead_updated_keeps_its_place_and_is_touched() -> None:
    with SelaApi(leads=3) as api:
        before = dict(api.leads[28001])
        after = api.update(28001, status="CLOSED", next_call_time=None)
        assert list(api.leads) == [28000, 28001, 28002]
        assert after == before | {
            "status": "CLOSED",
            "next_call_time": None,
            "modified_time": after["modified_time"],
        }
        touched = datetime.fromisoformat(after["modified_time"])
        assert abs(datetime.now(UTC) - touched) < timedelta(seconds=10)
        assert re.search(r"\.\d{6}-0[78]:00$", after["modified_time"])
        assert ask_once(api.url, "/api/leads/28001/").json() == after
        assert api.update(28001, status="LOST", modified_time="x")["modified_time"] == "x"


def test_touched_times_never_repeat() -> None:
    """Not even on a clock that stands still."""
    api = SelaApi(leads=1)
    with time_machine.travel(datetime(2026, 11, 1, 8, 59, tzinfo=UTC), tick=False):
        times = [api.update(28000)["modified_time"] for _ in range(500)]
    assert len(set(times)) == 500
    assert sorted(times, key=datetime.fromisoformat) == times


def test_a_lead_added_comes_last_and_a_deleted_one_is_gone() -> None:
    with SelaApi(leads=3, seed=4) as api:
        new = api.add()
        api.delete(28001)
        given = api.add({"id": 7, "status": "NEW"})
        connection = connect(api.url)
        assert ask(connection).ids() == [28000, 28002, 28003, 7]
        assert ask(connection, "/api/leads/28003/").json() == new
        assert ask(connection, "/api/leads/7/").json() == given == {"id": 7, "status": "NEW"}
        assert ask(connection, "/api/leads/28001/").status == 404
        connection.close()
        times = ("created_time", "modified_time", "received_time")
        assert new | dict.fromkeys(times) == sample_lead(28003, seed=4) | dict.fromkeys(times)
        assert datetime.fromisoformat(new["created_time"]) > datetime.now(UTC) - timedelta(seconds=10)


def test_a_lead_that_was_given_stays_the_givers() -> None:
    given = {"id": 7, "status": "NEW"}
    api = SelaApi(leads=[given])
    with api.lock:
        api.leads[7]["status"] = "LOST"
    assert given == {"id": 7, "status": "NEW"}


@pytest.mark.parametrize(
    ("lead", "message"),
    [({"id": 28000}, "lead 28000 is there already"), ({}, "integer id"), ({"id": "7"}, "integer id")],
)
def test_a_lead_that_cannot_be_kept_is_refused(lead: dict[str, Any], message: str) -> None:
    api = SelaApi(leads=1)
    with pytest.raises(ValueError, match=message):
        api.add(lead)
    assert list(api.leads) == [28000]


@pytest.mark.parametrize("sizes", [{"page_size": 0}, {"max_page_size": 0}])
def test_a_page_size_below_one_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        SelaApi(leads=1, **sizes)  # type: ignore[arg-type]


def test_without_a_cap_any_page_size_is_given() -> None:
    with SelaApi(leads=300, max_page_size=None) as api:
        assert len(ask_once(api.url, "/api/leads/?page_size=5000").ids()) == 300


@pytest.mark.parametrize("value", [1, True, 1.0, "1", [1], {"a": 1}])
def test_a_lead_changed_in_place_is_never_served_stale(value: object) -> None:
    """Nor with a value that only compares equal to the old one."""
    with SelaApi(leads=2) as api:
        connection = connect(api.url)
        for old in (1, value):
            with api.lock:
                api.leads[28000]["sms_dnc"] = old
                api.leads[28000]["metadata"]["nested"] = [old]
            body = ask(connection).body
            assert f'"sms_dnc":{json.dumps(old, separators=(",", ":"))},'.encode() in body
            assert f'"nested":[{json.dumps(old, separators=(",", ":"))}]'.encode() in body
        connection.close()


def test_a_lead_of_any_type_that_json_can_write_is_served() -> None:
    class Status(StrEnum):
        OPEN = "OPEN"

    with SelaApi(leads=[{"id": 1, "status": Status.OPEN}]) as api:
        assert ask_once(api.url).json()["results"] == [{"id": 1, "status": "OPEN"}]


def test_old_versions_of_leads_are_not_kept_for_ever() -> None:
    api = SelaApi(leads=1)
    for value in range(5_000):
        assert api.encode({"id": value}) == b'{"id":%d}' % value
    assert len(api._encoded) < 2_000


def test_the_user_filter_finds_every_lead_under_one_user() -> None:
    with SelaApi(leads=30) as api:
        connection = connect(api.url)
        found = [ask(connection, f"/api/leads/?user={user}").ids() for user in (1, 2, 3)]
        connection.close()
    assert [len(part) for part in found] == [10, 10, 10]
    assert sorted(chain(*found)) == list(range(28000, 28030))
