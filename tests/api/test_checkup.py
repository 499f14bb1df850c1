"""What follows from a few answers of a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sela.api.checkup import LARGE_PAGE, Filtering, Seen, advice, findings, report

GOOD = Seen(
    count=12_000,
    latency=0.04,
    asked=LARGE_PAGE,
    shown=500,
    seconds=0.25,
    honoured=True,
    orders=("-created_time",),
    filtering=Filtering.EXACT,
    requests=6,
)


def remarks(seen: Seen, page_size: int = 100) -> list[str]:
    return [finding.subject for finding in findings(seen, page_size, {}) if not finding.fine]


def values(seen: Seen) -> dict[str, float]:
    return {each.extra: each.value for each in advice(seen)}


def test_a_server_that_behaves_gives_no_remark() -> None:
    assert remarks(GOOD) == []


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"orders": ()}, "order"),
        ({"honoured": False}, "page_size"),
        ({"filtering": Filtering.IGNORED}, "external_id"),
        ({"filtering": Filtering.BLIND}, "external_id"),
        ({"rate": 4.87}, "rate"),
        ({"cached": True}, "cache"),
        ({"repeated": True}, "repeated"),
        ({"unseen": "page 120 is refused"}, "pages"),
    ],
)
def test_what_costs_a_proof_or_a_wait_is_remarked(change: dict[str, object], subject: str) -> None:
    assert remarks(replace(GOOD, **change)) == [subject]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("orders", "change", "words"),
    [
        (("-modified_time",), {}, "changed or new, where a full load proves that order"),
        (("-id", "-created_time"), {}, "new, where a full load proves that order"),
        (("id", "-modified_time"), {}, "full: nothing shows at which end"),
        ((), {}, "full: nothing shows at which end"),
        (("-modified_time",), {"honoured": False}, "full: nothing shows at which end"),
        (("-modified_time",), {"count": 500}, "full: one request brings the whole list"),
    ],
)
def test_what_can_be_read_alone_is_told(orders: tuple[str, ...], change: dict[str, Any], words: str) -> None:
    seen = replace(GOOD, orders=orders, **change)
    [told] = [finding.text for finding in findings(seen, 100, {}) if finding.subject == "read"]
    assert told.startswith(words)
    read = report("https://api.trysela.com", seen, findings(seen, 100, {}))["read"]
    assert (read == ["full"]) is words.startswith("full")


@pytest.mark.parametrize(
    ("change", "proven"),
    [
        ({}, True),
        ({"cached": True}, False),
        ({"repeated": True}, False),
        ({"unseen": "page 120 is refused"}, False),
        ({"honoured": False}, False),
    ],
)
def test_no_proof_is_promised_where_anything_stands_against_it(
    change: dict[str, object], proven: bool
) -> None:
    told = findings(replace(GOOD, **change), 100, {})  # type: ignore[arg-type]
    assert any("can be proven complete" in finding.text for finding in told) is proven


def test_a_connection_that_asks_for_more_than_the_server_gives_is_remarked() -> None:
    assert remarks(GOOD, page_size=501) == ["page_size"]
    assert remarks(GOOD, page_size=500) == []


@pytest.mark.parametrize("filtering", [Filtering.EXACT, Filtering.WIDER, Filtering.UNKNOWN])
def test_a_filter_that_is_only_inexact_does_no_harm(filtering: Filtering) -> None:
    assert remarks(replace(GOOD, filtering=filtering)) == []


def test_the_page_size_that_suits_is_the_servers_cap_and_1000_at_most() -> None:
    assert values(GOOD)["page_size"] == 500
    assert values(replace(GOOD, shown=LARGE_PAGE))["page_size"] == LARGE_PAGE
    assert values(replace(GOOD, honoured=False, shown=50))["page_size"] == 50


def test_a_list_that_takes_long_is_read_with_more_requests_at_once() -> None:
    assert values(GOOD)["concurrency"] == 4
    assert values(replace(GOOD, count=1_000_000))["concurrency"] == 8


@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_a_short_list_shows_no_cap_and_is_read_in_one_request(count: int) -> None:
    seen = replace(GOOD, count=count, shown=count, orders=(), honoured=None if count < 2 else True)
    assert seen.cap is None
    assert "all leads in about 1 request" in [each.reason for each in advice(seen)]
    assert remarks(seen) == ([] if count < 2 else ["order"])


def test_the_report_for_programs_says_the_same() -> None:
    seen = replace(GOOD, orders=())
    told = report("https://api.trysela.com", seen, findings(seen, 100, {}))
    assert told["fine"] is False
    assert [text.partition(":")[0] for text in told["remarks"]] == ["order"]
    assert (told["page_size_cap"], told["requests"], told["recommended"]["page_size"]) == (500, 6, 500)


@pytest.mark.parametrize(("rate", "value"), [(4.87, 4.62), (5.0, 4.75), (0.09, 0.08), (0.001, 0.01)])
def test_what_suits_a_throttled_server_is_a_rate_below_its_own(rate: float, value: float) -> None:
    assert values(replace(GOOD, rate=rate))["requests_per_second"] == value
    assert "requests_per_second" not in values(GOOD)


def test_the_time_that_a_read_takes_heeds_the_throttle() -> None:
    """24 requests of a quarter second take two seconds by four at once; or 24, where one a second gets in."""
    assert "which then take about 2 seconds" in [each.reason for each in advice(GOOD)]
    assert "which then take about 24 seconds" in [each.reason for each in advice(replace(GOOD, rate=1.0))]


def test_an_extra_that_nothing_reads_is_remarked_with_the_one_that_is_meant() -> None:
    found = findings(GOOD, 100, {"pagesize": "page_size", "frobnicate": None})
    assert [finding.text for finding in found if not finding.fine] == [
        "'pagesize' is unknown and has no effect: is 'page_size' meant?",
        "'frobnicate' is unknown and has no effect",
    ]
