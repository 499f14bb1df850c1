"""A lead that is read only as far as somebody asks is the same lead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_sela.api.leads import LEAD_FIELDS, lead_row, microseconds
from airflow_provider_sela.api.pages import decode_page
from airflow_provider_sela.api.raw import RawLead, raw_page
from airflow_provider_sela.exceptions import SelaResponseError
from airflow_provider_sela.storage.spool import Spool, raw_line
from airflow_provider_sela.testing import sample_leads
from tests.support.documented import DOCUMENTED
from tests.support.odd_json import identified, visible, wild
from tests.support.odd_values import TIMES

almost = st.builds(
    lambda name, value: {**DOCUMENTED, name: value},
    st.sampled_from([name for name, _ in LEAD_FIELDS[1:]]),
    wild,
)


def body_of(*results: Any, **layout: Any) -> bytes:
    return json.dumps({"count": 9, "next": "http://x/?page=2", "results": results}, **layout).encode()


@given(almost | identified)
def test_the_row_of_the_bytes_is_the_row_of_the_lead(lead: Any) -> None:
    row, expected = RawLead.from_lead(lead).row(), lead_row(lead)
    assert row == expected
    assert list(row.values) == list(expected.values)


@pytest.mark.parametrize("layout", [{}, {"indent": 1}, {"ensure_ascii": False, "separators": (",", ":")}])
def test_a_page_of_bytes_holds_what_a_page_of_leads_holds(layout: dict[str, Any]) -> None:
    body = body_of(*sample_leads(200), **layout)
    page, raw = decode_page(body, 1), raw_page(body, 1)
    assert [lead.decode() for lead in raw.leads] == page.leads
    assert [lead.row() for lead in raw.leads] == [lead_row(lead) for lead in page.leads]
    assert [lead[:3] for lead in raw.leads] == [
        (lead["id"], microseconds(lead["created_time"]), microseconds(lead["modified_time"]))
        for lead in page.leads
    ]
    assert (raw.count, raw.next_page) == (page.count, page.next_page)


@given(
    st.lists(
        st.sampled_from(TIMES)
        | st.builds(
            str.__add__,
            st.sampled_from(
                ["2025-02-28T15:09:03.139554", "2025-W09-5T15:09:03,139554", "2025-02-28T15:09:03Z"]
            ),
            st.from_regex(r"[+-][0-9]{2}:[0-9]{2}|Z{0,2}|[0-9]?[+-][0-9]{4}|[+-][0-9]{2}", fullmatch=True),
        ),
        min_size=1,
        max_size=3,
    )
)
@example(["2025-02-28T15:09:03.139554+05:75"])
@example(["2025-02-28T15:09:03+08:00Z"])
@example(["2025-02-28T15:09:03.139554-23:59", "2025-02-28T15:09:03.139554Z"])
def test_the_times_of_a_page_are_those_of_each_lead_alone(times: list[str]) -> None:
    leads = [DOCUMENTED | {"id": number, "created_time": text} for number, text in enumerate(times)]
    assert [lead.created for lead in raw_page(body_of(*leads), 1).leads] == list(map(microseconds, times))


@given(st.lists(almost | identified | wild, max_size=4))
def test_a_page_with_anything_in_it_holds_the_same_leads_and_rejects(results: list[Any]) -> None:
    body = body_of(*results)
    page, raw = decode_page(body, 1), raw_page(body, 1)
    assert [lead.decode() for lead in raw.leads] == page.leads
    assert (raw.count, raw.next_page) == (page.count, page.next_page)
    assert raw.rejects == page.rejects


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000, "NaN"])
def test_a_number_that_python_does_not_take_is_kept_as_its_text(number: str) -> None:
    body = body_of({"id": 1, "metadata": ["number"], "score": "number"}).replace(b'"number"', number.encode())
    [lead], [raw] = decode_page(body, 1).leads, raw_page(body, 1).leads
    assert raw.decode() == lead
    assert raw.row() == lead_row(lead)
    with Spool() as spool:
        spool.add_all([raw])
        assert list(spool) == [lead]


@pytest.mark.parametrize("broken", [b"\xff", b"\\q", b"\\ud8", b"\x01", b'"'])
def test_a_lead_that_was_damaged_on_its_way_is_refused_with_its_page(broken: bytes) -> None:
    body = body_of(DOCUMENTED).replace(b"Ada", broken)
    assert broken in body
    for decode in (decode_page, raw_page):
        with pytest.raises(SelaResponseError, match="not valid JSON"):
            decode(body, 1)


@given(st.builds(lambda key, value: {"id": key, "metadata": value}, st.integers(0, 9), wild))
def test_a_lead_is_one_line_of_what_can_be_stored(lead: Any) -> None:
    for layout in ({}, {"indent": 1}):
        [raw] = raw_page(body_of(lead, **layout), 1).leads
        line = raw_line(raw)
        assert b"\n" not in line
        assert json.loads(line) == visible(json.loads(json.dumps(lead, sort_keys=True)))


def test_a_lead_that_needs_nothing_is_kept_in_the_bytes_that_came() -> None:
    sent = b'{"status":"OPEN", "id":7,"email":"a\\n\xc3\xa9"}'
    [raw] = raw_page(b'{"count":1,"next":null,"results":[%b]}' % sent, 1).leads
    assert raw_line(raw) == sent


def test_a_lead_that_is_nested_too_deeply_is_refused_in_words() -> None:
    depth = 100_000
    nested: Any = []
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(SelaResponseError, match=r"^a lead is nested too deeply to be written as JSON$"):
        RawLead.from_lead({"id": 1, "metadata": nested})
    raw = RawLead(1, None, None, b'{"id":1,"metadata":%b%b}' % (b"[" * depth, b"]" * depth))
    with pytest.raises(SelaResponseError, match=r"^a lead is nested too deeply to be read$"):
        raw.decode()


def test_a_lead_shows_nothing_but_its_id() -> None:
    lead = RawLead.from_lead({"id": 7, "email": "ada@example.com", "modified_time": "2025-01-01T00:00:00Z"})
    assert repr(lead) == f"{lead}" == "RawLead(id=7)"


def test_leads_of_a_page_are_a_sequence_of_leads_that_are_made_on_demand() -> None:
    sent = [
        {"id": 3, "created_time": "2025-01-01T00:00:00Z"},
        {"id": 2**62, "modified_time": "0001-01-01T00:00:00+10:00"},
        {"id": 5, "created_time": "9999-12-31T23:59:59.999999Z", "modified_time": "9998-01-01T00:00:00.5Z"},
    ]
    expected = [RawLead.from_lead(lead) for lead in decode_page(body_of(*sent), 1).leads]
    leads = raw_page(body_of(*sent), 1).leads
    assert [lead[:3] for lead in leads] == [lead[:3] for lead in expected]
    assert (leads[-1].id, [lead.id for lead in leads[1:]], len(leads)) == (5, [2**62, 5], 3)
    assert leads == list(leads)
    assert leads != list(leads)[1:]
    assert leads != object()


@pytest.mark.parametrize(
    "time",
    ["2025-02-28T15:09:03.1395547-08:00", "2025-02-28t15:09:03-08:00", "2025-02-28T15:09:03z", "2025-02-28",
     "0001-01-01T00:00:00+10:00", "9999-12-31T23:00:00-08:00", "9999-12-31T23:59:59.999999Z", "", 7, None,
     "2025-02-28T15:09:03", "0001-12-31T23:59:59.999999Z", "0002-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_time_of_a_page_is_read_as_one_alone(time: Any) -> None:
    for others in ([], [{"id": 2, "created_time": "2025-01-01T00:00:00Z"}]):
        [lead, *_] = raw_page(body_of({"id": 1, "created_time": time}, *others), 1).leads
        assert lead.created == microseconds(time)
