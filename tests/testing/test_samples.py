"""Sample leads: deterministic, faithful to the documented example, and awkward enough."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.testing import sample_lead, sample_leads

DOCUMENTED = {
    "id": int,
    "email": str | None,
    "phone_number": str,
    "metadata": object,
    "modified_time": str,
    "created_time": str,
    "status": str,
    "status_reason": str | None,
    "lead_source": str,
    "lead_type": int,
    "next_call_time": str | None,
    "next_call_time_reason": str | None,
    "external_id": str | None,
    "us_state": str | None,
    "received_time": str | None,
    "reengagements_count": int,
    "last_reengagement_time": str | None,
    "call_schedule_start_time": str | None,
    "sms_dnc": bool,
    "call_dnc": bool,
}
MAY_BE_NULL = {name for name, kind in DOCUMENTED.items() if kind == str | None} | {"metadata"}
STATUSES = {
    "UNKNOWN", "NEW", "OPEN", "CALLBACK_TO_TRANSFER", "CLOSED", "CLOSED_INCOMPLETE", "LOST",
    "SCHEDULE_COMPLETED", "OUT_OF_TERRITORY",
}  # fmt: skip
seeds = pytest.mark.parametrize("seed", [0, 1, 2, 99, -7, 10**20])


@given(st.integers(-(2**63), 2**63 - 1), st.integers())
def test_the_same_seed_and_id_give_the_same_lead(lead_id: int, seed: int) -> None:
    lead = sample_lead(lead_id, seed)
    assert lead == sample_lead(lead_id, seed)
    assert lead["id"] == lead_id


def test_a_lead_stays_the_same_from_release_to_release() -> None:
    """Users write these values into the tests of their DAGs."""
    lead = sample_lead(28001)
    chosen = {name: lead[name] for name in ("email", "phone_number", "created_time", "status", "external_id")}
    assert chosen == {
        "email": "lead.28001.0194@example.com",
        "phone_number": "+13035550172",
        "created_time": "2025-02-28T15:09:20.006502-08:00",
        "status": "UNKNOWN",
        "external_id": "id_in_your_crm_28001",
    }


def test_another_seed_gives_other_leads() -> None:
    assert sample_leads(20, seed=1) != sample_leads(20, seed=2)


@seeds
def test_every_lead_has_the_documented_fields_and_kinds(seed: int) -> None:
    for lead in sample_leads(300, seed):
        assert list(lead) == list(DOCUMENTED)
        for name, kind in DOCUMENTED.items():
            assert isinstance(lead[name], kind), (lead["id"], name)
        assert not isinstance(lead["id"], bool)


@seeds
def test_any_hundred_neighbours_hold_every_oddity(seed: int) -> None:
    leads = sample_leads(100, seed, first_id=31_415)
    assert {name for lead in leads for name in lead if lead[name] is None} == MAY_BE_NULL
    assert {type(lead["metadata"]) for lead in leads} == {dict, list, str, int, type(None)}
    assert {} in [lead["metadata"] for lead in leads]
    assert sum(lead["next_call_time"] == "025-02-28T15:09:03.122515-08:00" for lead in leads) == 2
    assert sum(isinstance(lead["metadata"], dict) for lead in leads) >= 95
    people = [lead["metadata"] for lead in leads if isinstance(lead["metadata"], dict) and lead["metadata"]]
    names = "".join(person["first_name"] + person["last_name"] for person in people)
    assert any(ord(character) > 0xFFFF for character in names)
    assert {unicodedata.bidirectional(character) for character in names} >= {"R", "AL"}
    statuses = {lead["status"] for lead in leads}
    assert len(statuses) >= 5
    assert statuses <= STATUSES


def test_metadata_has_the_documented_keys() -> None:
    metadata: dict[str, Any] = sample_lead(28000)["metadata"]
    assert {"first_name", "last_name", "timezone", "created_at", "lead_source", "external_id"} <= set(
        metadata
    )
    assert any(key.startswith("property_") for key in metadata)
    assert re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d", metadata["created_at"])


def test_nobody_can_be_reached() -> None:
    """Reserved numbers and domains only."""
    for lead in sample_leads(2_000):
        assert re.fullmatch(r"\+1[2-9]\d\d55501\d\d", lead["phone_number"])
        assert lead["email"] is None or lead["email"].endswith("@example.com")


@seeds
def test_both_times_ascend_with_the_id_and_have_sela_s_format(seed: int) -> None:
    """Over a year, so across both changes of the clock; and none lies in the future."""
    leads = [sample_lead(lead_id, seed) for lead_id in range(28_000, 2_028_000, 4_001)]
    for name in ("created_time", "modified_time"):
        texts = [lead[name] for lead in leads]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}-0[78]:00", text) for text in texts)
        assert {text[-6:] for text in texts} == {"-07:00", "-08:00"}
        moments = [datetime.fromisoformat(text) for text in texts]
        assert moments == sorted(set(moments))
        assert moments[-1] < datetime(2026, 4, 1, tzinfo=UTC)
    moments = [
        datetime.fromisoformat(lead[name])
        for lead in sample_leads(500, seed)
        for name in ("created_time", "modified_time")
    ]
    assert moments == sorted(set(moments))


def test_a_lead_takes_about_one_kilobyte() -> None:
    leads = sample_leads(1_000)
    assert 850 < len(json.dumps(leads, ensure_ascii=False).encode()) / len(leads) < 1_150


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="count is -1"):
        sample_leads(-1)
