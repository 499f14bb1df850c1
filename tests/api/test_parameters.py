"""Parameters as templates leave them: read for what was meant, or refused by name."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from airflow_provider_sela.api.parameters import (
    boolean,
    choice,
    from_zero,
    number_or_share,
    optional,
    plain_data,
    settled,
    some_texts,
    text,
    texts,
    whole_number,
)
from airflow_provider_sela.exceptions import SelaRequestError

LETTERS = choice("a", "b", "c")


@pytest.mark.parametrize("value", [7, "7", " 7\n", "+7"])
def test_a_whole_number_may_have_been_made_a_text_by_a_template(value: object) -> None:
    assert whole_number("page_size", value) == 7


@pytest.mark.parametrize("value", [0, -5, "0"])
def test_a_number_that_is_too_small_is_refused_by_name(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^page_size is -?\d+: it starts at 1"):
        whole_number("page_size", value)


def test_a_number_that_is_too_large_is_refused_by_name() -> None:
    assert whole_number("max_parts", "9", most=9) == 9
    with pytest.raises(SelaRequestError, match=r"^max_parts is 10: allowed is 1 to 9"):
        whole_number("max_parts", 10, most=9)


@pytest.mark.parametrize(
    "value", [1.5, 2.0, True, None, "", "1.5", "many", "1e3", "1_000", "\u0663", "9" * 19]
)
def test_what_is_no_whole_number_is_not_taken_for_one(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^max_xcom_leads is not a whole number"):
        whole_number("max_xcom_leads", value)


def test_some_numbers_start_at_zero() -> None:
    assert from_zero("max_failures", "0") == 0
    with pytest.raises(SelaRequestError, match="max_failures is -1: it starts at 0"):
        from_zero("max_failures", -1)


@pytest.mark.parametrize(("value", "meant"), [(True, True), ("True", True), (" true\n", True), ("1", True)])
def test_the_text_of_true_is_true_and_that_of_false_is_false(value: object, meant: bool) -> None:
    assert boolean("create_table", value) is meant
    opposite = {"True": "False", " true\n": " false\n", "1": "0"}.get(str(value), False)
    assert boolean("create_table", opposite if isinstance(value, str) else False) is not meant


@pytest.mark.parametrize("value", ["", "None", None, "maybe", "yes", 2, 1.0, [], "[]"])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^create_table is .*: allowed are True and False"):
        boolean("create_table", value)


@pytest.mark.parametrize(
    ("value", "number"), [(0, 0), ("0.1", 0.1), (0.25, 0.25), ("10", 10), (10.0, 10), (" 7 ", 7)]
)
def test_a_share_stays_a_share_and_a_number_a_number(value: object, number: float) -> None:
    read = number_or_share("max_deletes", value)
    assert (read, type(read)) == (number, int if number >= 1 else float)


@pytest.mark.parametrize("value", [-1, "-0.1", 1.5, "many", "", None, True, "nan", "inf", [1]])
def test_what_is_neither_a_number_nor_a_share_is_refused(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^max_deletes is .*: expected is a number such as 10"):
        number_or_share("max_deletes", value)


def test_a_text_is_taken_as_it_is_and_an_id_may_be_a_number() -> None:
    assert text("external_id", " a b ") == " a b "
    assert text("external_id", 12) == "12"


@pytest.mark.parametrize("value", ["", " \n", None])
def test_a_text_that_rendered_to_nothing_is_refused(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^table is empty: "):
        text("table", value)


@pytest.mark.parametrize("value", ["None", " None\n"])
def test_the_text_of_none_is_a_value_that_is_missing(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^table is the text None, .*render_template_as_native_obj"):
        text("table", value)


@pytest.mark.parametrize("value", [True, 1.5, ["a"], {"a": 1}, b"a"])
def test_what_is_no_text_is_not_made_one(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^table is no text: "):
        text("table", value)


@pytest.mark.parametrize(
    "value",
    [
        ["a", "b"],
        ("a", "b"),
        {"a": 1, "b": 2}.keys(),
        "['a', 'b']",
        '["a", "b"]',
        "('a', 'b')",
        " a , b\n",
        "a,b",
    ],
)
def test_a_list_is_a_list_however_it_was_rendered(value: object) -> None:
    assert texts("statuses", value) == ["a", "b"]


def test_a_set_is_a_list_and_one_name_is_a_list_of_one() -> None:
    assert sorted(texts("statuses", "{'a', 'b'}")) == ["a", "b"]
    assert texts("statuses", "a") == ["a"]
    assert texts("statuses", '["a,b"]') == ["a,b"]
    assert texts("statuses", "[]") == []


@pytest.mark.parametrize("value", [None, 5, "{'a': 1}", {"a": 1}, b"ab", "[a", "[" * 5000, "(1)"])
def test_what_is_no_list_of_texts_is_refused(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^statuses is no list of texts"):
        texts("statuses", value)


@pytest.mark.parametrize("value", ["", "a,", "None", ["a", None], "['a', None]", ["a", ""], ["a", ["b"]]])
def test_a_list_with_something_else_than_texts_is_refused(value: object) -> None:
    with pytest.raises(SelaRequestError, match=r"^statuses is "):
        texts("statuses", value)


def test_a_list_of_nothing_to_wait_for_is_refused() -> None:
    assert some_texts("statuses", ["a"]) == ["a"]
    with pytest.raises(SelaRequestError, match=r"statuses is an empty list: .*leave it out"):
        some_texts("statuses", "[]")


@pytest.mark.parametrize("value", [{"a": [1, None]}, "{'a': [1, None]}", '{"a": [1, null]}'])
def test_data_may_have_been_made_a_text_by_a_template(value: object) -> None:
    assert plain_data("part", value) == {"a": [1, None]}


@pytest.mark.parametrize("value", [None, 5, "", "s3://bucket/parts", "5", "'a'", "[" * 5000, [1], object()])
def test_what_holds_no_data_is_left_to_who_reads_it(value: object) -> None:
    assert plain_data("part", value) is value


def test_a_choice_is_one_of_a_few_words() -> None:
    assert LETTERS("mode", "a") == "a"
    for value in ("d", "A", "", None, ["a"]):
        with pytest.raises(SelaRequestError, match=r"^mode is .*: allowed are a, b and c"):
            LETTERS("mode", value)


def test_what_may_be_left_out_may_be_none() -> None:
    assert optional(text)("email", None) is None
    with pytest.raises(SelaRequestError, match="email is the text None"):
        optional(text)("email", "None")


class XComArg:
    """What Airflow resolves later, by this method."""

    def resolve(self, context: object) -> None: ...


@pytest.mark.parametrize(
    "value",
    ["{{ x }}", "a{%- if x %}b{% endif %}", "{# x #}", ["a", "{{ x }}"], ({"a": "{{ x }}"},), XComArg(),
     [XComArg()], {"a": XComArg()}, PurePosixPath("/data/{{ x }}")],
)  # fmt: skip
def test_what_a_run_gives_is_not_settled(value: Any) -> None:
    assert not settled(value)


@pytest.mark.parametrize(
    "value", ["a", "{a}", None, 5, 0.5, True, ["a"], {"a": {"b"}}, PurePosixPath("/data")]
)
def test_what_the_author_wrote_is_settled(value: Any) -> None:
    assert settled(value)
