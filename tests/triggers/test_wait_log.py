"""What a wait says in the log: enough to know what it waits for, and of a lead nothing but its id."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_sela.triggers.wait_log import log_wait, seen_so_far

DEADLINE = 1_767_225_600.0


def said(caplog: pytest.LogCaptureFixture, looks: int, **given: Any) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        arguments: dict[str, Any] = {"statuses": None, "deadline": DEADLINE, "others": None, **given}
        log_wait(logging.getLogger("tests.wait_log"), looks, **arguments)
    return caplog.messages


def test_the_first_look_says_what_is_waited_for_and_until_when(caplog: pytest.LogCaptureFixture) -> None:
    until = "Sela: waiting until 2026-01-01 00:00:00 UTC for a lead with this external_id"
    assert said(caplog, 1) == [until]
    assert said(caplog, 1, statuses=["CLOSED", "LOST"], others=[]) == [
        f"{until} and one of the statuses CLOSED, LOST: none is there"
    ]
    assert said(caplog, 1, deadline=None) == ["Sela: waiting for a lead with this external_id"]


def test_every_tenth_look_says_that_the_wait_goes_on_and_what_is_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert [looks for looks in range(2, 31) if said(caplog, looks)] == [10, 20, 30]
    assert said(caplog, 20, others=[28013]) == [
        "Sela: still waiting after 20 looks until 2026-01-01 00:00:00 UTC:"
        " lead 28013 is there, with a status that is not waited for"
    ]


def test_a_deadline_that_no_calendar_has_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    [line] = said(caplog, 1, deadline=1e18)
    assert "until 9999-12-31" in line


def test_several_leads_are_named_by_their_ids_in_order() -> None:
    assert seen_so_far([3, 1]) == "leads 1, 3 are there, with a status that is not waited for"
