from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_sela.api.request import authorization, lead_filters, origin, page_params
from airflow_provider_sela.exceptions import SelaRequestError, SelaSetupError


@pytest.mark.parametrize(
    "pasted", ["abc123", "Token abc123", "token abc123", "TOKEN   abc123", "  abc123\n", " Token abc123 "]
)
def test_a_token_is_accepted_with_or_without_its_prefix(pasted: str) -> None:
    assert authorization(pasted) == "Token abc123"


def test_a_token_that_merely_starts_like_the_prefix_is_left_alone() -> None:
    assert authorization("tokenabc") == "Token tokenabc"


@pytest.mark.parametrize("empty", ["", "   ", "Token", "Token ", "token\n"])
def test_an_empty_token_is_refused_with_the_field_to_fill(empty: str) -> None:
    with pytest.raises(SelaSetupError, match="Password"):
        authorization(empty)


@pytest.mark.parametrize("bad", ["Bearer s3cr3t", "s3cr3t\r\nX-Evil: 1", "s3cr3té", "s3\x00cr3t", "s3\tcr3t"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_quoted(bad: str) -> None:
    with pytest.raises(SelaSetupError, match="paste it again") as caught:
        authorization(bad)
    assert "cr3t" not in str(caught.value)


def test_only_filters_that_are_set_become_parameters() -> None:
    assert lead_filters() == {}
    assert lead_filters(email="a@b.c", external_id="7", phone_number="+18042221111", user=0) == {
        "email": "a@b.c",
        "external_id": "7",
        "phone_number": "+18042221111",
        "user": "0",
    }


@pytest.mark.parametrize("name", ["email", "external_id", "phone_number", "user"])
@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_filter_is_refused_because_the_server_would_return_every_lead(name: str, empty: str) -> None:
    with pytest.raises(SelaRequestError, match=f"^{name} is empty"):
        lead_filters(**{name: empty})


@pytest.mark.parametrize("user", ["1.5", "-1", "None", "1 2", "٣", True, -1])
def test_a_user_that_is_no_whole_number_is_refused(user: int | str) -> None:
    with pytest.raises(SelaRequestError, match="user"):
        lead_filters(user=user)


def test_a_user_rendered_by_a_template_may_have_spaces_around() -> None:
    assert lead_filters(user=" 12\n") == {"user": "12"}


def test_spaces_inside_other_filters_are_sent_as_they_are() -> None:
    assert lead_filters(external_id=" a b ") == {"external_id": " a b "}


@pytest.mark.parametrize(
    ("name", "value", "template", "sent"),
    [
        ("phone_number", "+18042221111", "{{ value }}", "+18042221111"),
        ("phone_number", "+18042221111", "'{{ value }}'", "+18042221111"),
        ("external_id", "2024_001", "'{{ value }}'", "2024_001"),
        ("external_id", "1e5", "'{{ value }}'", "1e5"),
        ("external_id", "00123", "{{ value }}", "00123"),
        ("external_id", "123", "{{ value }}", "123"),
    ],
)
def test_a_filter_that_is_rendered_to_a_native_object_asks_for_what_was_meant(
    name: str, value: str, template: str, sent: str
) -> None:
    rendered = NativeEnvironment(autoescape=False).from_string(template).render(value=value)
    assert lead_filters(**{name: rendered}) == {name: sent}


def test_a_filter_that_became_no_text_says_how_to_keep_it_one() -> None:
    with pytest.raises(SelaRequestError, match=r"external_id is no text: float.*quotes around a template"):
        lead_filters(external_id=1e5)  # type: ignore[arg-type]


def test_a_filter_that_no_url_can_carry_is_refused_without_being_quoted() -> None:
    with pytest.raises(SelaRequestError, match=r"^email .*surrogate") as caught:
        lead_filters(email="secret\ud800@example.com")
    assert "secret" not in str(caught.value)


def test_the_page_and_its_size_join_the_filters() -> None:
    assert page_params({"user": "3"}, 2, 50) == {"user": "3", "page": "2", "page_size": "50"}
    assert page_params({}, 1, None) == {"page": "1"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.trysela.com/api/leads/?page=2", "https://api.trysela.com:443"),
        ("HTTPS://API.TrySela.com", "https://api.trysela.com:443"),
        ("http://example.com", "http://example.com:80"),
        ("http://example.com:8080/x", "http://example.com:8080"),
        ("http://user:secret@example.com/", "http://example.com:80"),
        ("http://[::1]:81/", "http://[::1]:81"),
    ],
)
def test_an_origin_has_one_spelling(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url", ["", "/api/leads/", "ftp://example.com", "https://", "//x", "http://h:99999", "http://[:"]
)
def test_what_has_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any ValueError is the promise)
        origin(url)


@given(st.text())
def test_an_origin_is_found_or_refused_with_a_value_error_and_is_stable(url: str) -> None:
    try:
        found = origin(url)
    except ValueError:
        return
    assert origin(found) == found
