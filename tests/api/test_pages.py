from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page, decode_page
from airflow_provider_sela.exceptions import SelaError, SelaResponseError
from tests.support.faults import page_body
from tests.support.odd_json import json_values


def decode(page: int = 1, **envelope: Any) -> Page[Lead]:
    return decode_page(
        json.dumps({"count": 0, "next": None, "previous": None, "results": []} | envelope).encode(), page
    )


def test_a_flat_page_gives_count_next_and_leads() -> None:
    page = decode(count=5, next="https://h/api/leads/?page=2&page_size=2", results=[{"id": 1}, {"id": 2}])
    assert (page.count, page.next_page) == (5, 2)
    assert [lead["id"] for lead in page.leads] == [1, 2]
    assert page.rows == 2


def test_the_vendors_nested_example_is_understood() -> None:
    """The reference page shows a whole page inside ``results[0]``."""
    inner = {
        "count": 123,
        "next": "http://api.example.org/accounts/?page=4",
        "previous": None,
        "results": [{"id": 28013}],
    }
    page = decode(3, count=123, next="http://api.example.org/accounts/?page=4", results=[inner])
    assert [lead["id"] for lead in page.leads] == [28013]
    assert (page.count, page.next_page, page.rejects) == (123, 4, [])


def test_pages_nested_without_end_are_kept_as_rejects_and_not_followed_for_ever() -> None:
    nested: dict[str, Any] = {"count": 1, "results": [{"id": 1}]}
    for _ in range(10):
        nested = {"count": 1, "results": [nested]}
    page = decode(results=[nested])
    assert page.leads == []
    assert page.rows == 1


@pytest.mark.parametrize(("depth", "understood"), [(1, True), (3, True), (4, False)])
def test_pages_are_unfolded_three_deep(depth: int, understood: bool) -> None:
    nested: dict[str, Any] = {"id": 1}
    for _ in range(depth):
        nested = {"count": 1, "results": [nested]}
    page = decode(results=[nested])
    assert (len(page.leads), len(page.rejects)) == ((1, 0) if understood else (0, 1))


def test_a_lead_that_happens_to_have_count_and_results_is_still_a_lead() -> None:
    assert [lead["id"] for lead in decode(results=[{"id": 9, "count": 1, "results": []}]).leads] == [9]


@pytest.mark.parametrize(
    "reject", [None, 5, "x", [], {}, {"id": None}, {"id": "x"}, {"id": True}, {"id": 2**63}, {"id": 1.5}]
)
def test_a_result_without_a_usable_id_is_kept_as_a_reject(reject: Any) -> None:
    page = decode(count=2, results=[reject, {"id": 1}])
    assert page.rejects == [reject]
    assert page.rows == 2


def test_ids_written_as_text_or_float_become_integers() -> None:
    assert [lead["id"] for lead in decode(results=[{"id": "28013"}, {"id": 28014.0}]).leads] == [28013, 28014]


def test_float_ids_too_large_to_be_exact_are_rejected_and_not_merged_into_one_lead() -> None:
    exact = b'{"id":9007199254740991.0}'
    body = b'{"count":3,"results":[{"id":9007199254740993.0},{"id":9007199254740992.0},%b]}' % exact
    page = decode_page(body, 1)
    assert [lead["id"] for lead in page.leads] == [9007199254740991]
    assert len(page.rejects) == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?page=3",
        "?page=3",
        "/api/leads/?page_size=5&page=3&email=x",
        "http://h:99999/?page=3",
    ],
)
def test_next_is_read_for_its_page_number_whatever_else_it_says(url: str) -> None:
    assert decode(2, next=url).next_page == 3


@pytest.mark.parametrize("url", ["?page=2", "?page=1", "?page=0", "?page=-7"])
def test_a_next_that_does_not_lead_forward_is_refused(url: str) -> None:
    with pytest.raises(SelaResponseError, match="leads back to page"):
        decode(2, next=url)


def test_a_next_that_skips_a_page_is_refused_because_its_leads_would_be_missed() -> None:
    with pytest.raises(SelaResponseError, match="would be missed"):
        decode(2, next="?page=4")


@pytest.mark.parametrize(
    "url", ["", "https://h/", "https://h/?cursor=abc", "?page=", "?page=two", "http://[:/?page=3"]
)
def test_a_next_without_a_page_number_is_refused(url: str) -> None:
    with pytest.raises(SelaResponseError, match="no page number"):
        decode(2, next=url)


@pytest.mark.parametrize("url", [3, True, [], {}])
def test_a_next_that_is_no_text_is_refused(url: Any) -> None:
    with pytest.raises(SelaResponseError, match="next is neither"):
        decode(2, next=url)


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_answer_is_named_as_such(body: bytes) -> None:
    with pytest.raises(SelaResponseError, match="is empty"):
        decode_page(body, 1)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><p>Log in", b"\n <HTML>", b"<?xml version='1.0'?>"])
def test_a_web_page_is_named_as_such(body: bytes) -> None:
    with pytest.raises(SelaResponseError, match="web page"):
        decode_page(body, 1)


@pytest.mark.parametrize(
    "body", [page_body([{"id": 1}])[:-1], b"{", b"\xff\xfe\xfd", b"OK", b'{"count":1,"results":[}']
)
def test_what_is_not_json_is_named_as_such(body: bytes) -> None:
    with pytest.raises(SelaResponseError, match="not valid JSON"):
        decode_page(body, 1)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{}", b'{"count":1}', b'{"results":[]}'])
def test_json_that_is_no_page_is_named_as_such(body: bytes) -> None:
    with pytest.raises(SelaResponseError, match="no page"):
        decode_page(body, 1)


@pytest.mark.parametrize("count", [None, "5", 1.5, True, -1])
def test_a_count_that_is_no_number_of_leads_is_refused(count: Any) -> None:
    with pytest.raises(SelaResponseError, match="count and results"):
        decode(count=count)


@pytest.mark.parametrize("results", [None, {}, "x", 5])
def test_results_that_are_no_list_are_refused(results: Any) -> None:
    with pytest.raises(SelaResponseError, match="count and results"):
        decode(results=results)


def test_json_nested_beyond_reason_is_an_error_of_ours() -> None:
    with pytest.raises(SelaResponseError, match="nested too deeply"):
        decode_page(b"[" * 1_000_000, 1)


def test_numbers_that_python_cannot_hold_are_kept_as_text() -> None:
    digits = "9" * 6000
    body = f'{{"count":1,"results":[{{"id":1,"a":NaN,"b":-Infinity,"c":1e999,"d":{digits},"e":12}}]}}'
    lead: Any = decode_page(body.encode(), 1).leads[0]
    assert lead == {"id": 1, "a": "NaN", "b": "-Infinity", "c": "1e999", "d": digits, "e": 12}


#: JSON as text, with spellings that no writer of ours produces.
spelled = st.recursive(
    st.sampled_from([
        "null", "true", "-0", "-0.0", "1E5", "0.1e1", "1e-400", "5e-324", "0.1", "2.5e+3", "9007199254740993",
        "9223372036854775808", "18446744073709551616", "-9223372036854775809",
        "123456789012345678901234567890", r'"\u0000"',
        r'"\ud83d\ude00"', r'"\u00e9\/\b"', '"\u2028\x7f"', '"\uffff"', " 1 ",
    ])
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.text().map(lambda text: json.dumps(text, ensure_ascii=False)),
    lambda inner: st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}\n]")
    | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', r'"\u0061"', '""']), inner), max_size=4).map(
        lambda pairs: "{" + ",\t".join(f"{key} : {item}" for key, item in pairs) + "}"
    ),
)  # fmt: skip


@given(spelled)
def test_a_value_is_read_as_the_standard_library_reads_it_whoever_reads_it(text: str) -> None:
    body = f'{{"count": 1, "results": [{{"id": 1, "value": {text}}}]}}'
    [lead] = decode_page(body.encode(errors="replace"), 1).leads
    # Written out: 1, 1.0 and True are equal, and so are 0.0 and -0.0.
    assert repr(lead["value"]) == repr(json.loads(text))  # type: ignore[typeddict-item]


def test_no_value_of_a_lead_shows_in_a_repr() -> None:
    page = decode(results=[{"id": 1, "email": "ada@example.com"}, {"email": "bob@example.com"}])
    assert "example.com" not in repr(page)


@given(st.binary())
def test_any_bytes_give_a_page_or_an_error_of_ours(body: bytes) -> None:
    try:
        decode_page(body, 1)
    except SelaError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)


@given(
    st.fixed_dictionaries({"count": json_values, "results": json_values, "next": json_values}),
    st.integers(1, 5),
)
def test_any_json_envelope_gives_a_page_or_an_error_of_ours(envelope: dict[str, Any], page: int) -> None:
    body = json.dumps(envelope).encode()
    try:
        decoded = decode_page(body, page)
    except SelaError:
        return
    assert decoded.rows >= 0
    assert decoded.next_page in (None, page + 1)


@given(st.lists(json_values, max_size=5))
def test_every_result_is_a_lead_or_a_reject(results: list[Any]) -> None:
    page = decode(count=len(results), results=results)
    assert page.rows >= sum(1 for item in results if not (isinstance(item, dict) and "results" in item))
    assert all(isinstance(lead["id"], int) for lead in page.leads)
