"""The fast way to a row leads to the same one as the slow way, or nowhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.documented import documented_values
from airflow_provider_sela.api.leads import lead_row
from tests.support.documented import DOCUMENTED

ODD_TIMES = [
    "2025-02-28t15:09:03.139554+00:00", "2025-02-28T15:09:03.139554z", "2025-02-28 15:09:03.139554Z",
    "2025-02-28T15:09:03.1395547Z", "2025-02-28T15:09:03.9999999-08:00", "2025-02-28T15:09:03.13Z",
    "2025-02-28T15:09:03,139554-08:00", "2025-02-28T15:09:03.13955a-08:00", "2025-02-28T15:61:03.139554Z",
    "2025-02-28T24:00:00.000000Z", "2025-02-28T15:09:60.000000Z", "2025-02-29T15:09:03.139554Z",
    "2025-02-28T15:09:03.139554", "2025-02-28T15:09:03.139554-24:00", "2025-02-28T15:09:03.139554+05:30",
    "2025-02-28T15:09:03.139554-08:00:30", "0001-01-01T00:00:00.000000+01:00", "0001-01-01T00:00:00.000000Z",
    "9999-12-31T23:00:00.000000-08:00", "9998-12-31T23:00:00.000000-08:00", "",
    'as "soon" as he can', "\u00fcbermorgen", "\n",
]  # fmt: skip

times = st.sampled_from([*ODD_TIMES, "2025-02-28T15:09:03.139554-08:00", "2025-02-28T15:09:03.139554Z", None])


@given(times, times, times)
def test_times_are_as_they_are_read_alone_whatever_stands_beside_them(
    modified: str | None, following: str | None, received: str | None
) -> None:
    changes = {"modified_time": modified, "next_call_time": following, "received_time": received}
    lead: Any = DOCUMENTED | changes
    row = lead_row(lead)
    values = documented_values(json.dumps(lead).encode())
    assert values == (list(row.values.values()), row.nulled)


@pytest.mark.parametrize("offset", ["-08:00", "Z"])
def test_a_list_of_many_years_needs_no_more_memory_and_its_hours_are_right(offset: str) -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    for hour in range(5000):
        text = (first + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:09:03.139554") + offset
        values = documented_values(json.dumps({"id": 1, "created_time": text}).encode())
        assert values is not None
        assert datetime.fromisoformat(values[0][5]) == datetime.fromisoformat(text)
