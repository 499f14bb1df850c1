"""Promises of the privacy options."""

from __future__ import annotations

import hmac
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.privacy import Privacy, Redaction

SALT = "sixteen characters and more"
LEAD: dict[str, Any] = {
    "id": 1,
    "email": "ada@example.com",
    "phone_number": "+18045550123",
    "metadata": {"first_name": "Ada", "ssn": "000-00-0000"},
    "score": 5,
}


def test_without_rules_the_lead_itself_passes() -> None:
    assert Privacy()(LEAD) is LEAD


def test_excluded_fields_are_gone_and_the_lead_itself_is_untouched() -> None:
    assert Privacy(exclude_fields=["email", "metadata"])(LEAD) == {
        "id": 1, "phone_number": "+18045550123", "score": 5,
    }  # fmt: skip
    assert LEAD["email"] == "ada@example.com"


def test_extra_stands_for_every_field_that_is_not_documented() -> None:
    assert "score" not in Privacy(exclude_fields=["extra"])(LEAD)


def test_one_field_that_is_not_documented_has_a_name_of_its_own() -> None:
    privacy = Privacy(exclude_fields=["extra.score"])
    assert privacy({**LEAD, "other": 1}) == {**{k: v for k, v in LEAD.items() if k != "score"}, "other": 1}
    assert privacy({"id": 1, "extra.score": 2}) == {"id": 1, "extra.score": 2}


def test_a_hash_is_stable_and_depends_on_the_salt() -> None:
    first = Privacy(hash_fields=["email"], salt=SALT)(LEAD)["email"]
    assert first == Privacy(hash_fields=["email"], salt=SALT)({"id": 2, "email": "ada@example.com"})["email"]
    assert first != Privacy(hash_fields=["email"], salt=SALT + "!")(LEAD)["email"]
    assert len(first) == 32
    assert "ada" not in first


def test_a_hash_is_the_one_that_another_tool_can_make() -> None:
    """HMAC-SHA256 of the text itself, its first half; or a column hashed elsewhere could not be joined."""
    made = hmac.new(SALT.encode(), b"ada@example.com", "sha256").hexdigest()[:32]
    assert Privacy(hash_fields=["email"], salt=SALT)(LEAD)["email"] == made


def test_different_values_have_different_hashes_and_each_its_own() -> None:
    values = ["ada@example.com", "bob@example.com", "", 17, 18, {"a": 1}, {"a": 2}, ["a"]]
    hashes = {
        Privacy(hash_fields=["email"], salt=SALT)({"id": 1, "email": value})["email"] for value in values
    }
    assert len(hashes) == len(values)


def test_a_salt_of_16_characters_and_an_undocumented_field_will_do() -> None:
    hashed = Privacy(hash_fields=["extra.score"], salt="x" * 16)({"id": 1, "score": "high"})
    assert len(hashed["score"]) == 32


@pytest.mark.parametrize("value", ["\ud800", {"a": ["list"]}, 17, ""])
def test_whatever_stands_in_a_hashed_field_is_hashed(value: Any) -> None:
    assert len(Privacy(hash_fields=["email"], salt=SALT)({"id": 1, "email": value})["email"]) == 32


def test_null_stays_null_and_absent_stays_absent() -> None:
    hashed = Privacy(hash_fields=["email", "status"], salt=SALT)({"id": 1, "email": None})
    assert hashed == {"id": 1, "email": None}


def test_only_kept_metadata_passes() -> None:
    assert Privacy(keep_metadata=["first_name"])(LEAD)["metadata"] == {"first_name": "Ada"}
    assert Privacy(keep_metadata=[])(LEAD)["metadata"] == {}


def test_dropped_metadata_does_not_pass() -> None:
    assert Privacy(drop_metadata=["ssn"])(LEAD)["metadata"] == {"first_name": "Ada"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"applicant": {"ssn": "000-00-0000", "city": "Reston"}},
        {"applicants": [{"ssn": "000-00-0000", "city": "Reston"}, [{"ssn": "000-00-0000"}]]},
        {"SSN": "000-00-0000", "city": "Reston", " Ssn": "000-00-0000"},
        {"\uff53\uff53\uff4e": "000-00-0000", "city": "Reston"},
    ],
    ids=["below", "in a list", "in capitals", "in wide letters"],
)
def test_dropped_metadata_does_not_pass_at_any_depth_and_in_any_spelling(metadata: Any) -> None:
    left = str(Privacy(drop_metadata=["ssn"])({"id": 1, "metadata": metadata})["metadata"])
    assert "000-00-0000" not in left
    assert "Reston" in left
    assert list(Redaction(Privacy(drop_metadata=["ssn"])).remarks())
    redaction = Redaction(Privacy(drop_metadata=["ssn"]))
    redaction({"id": 1, "metadata": metadata})
    assert not list(redaction.remarks())


def test_a_dropped_key_with_dots_or_marks_is_the_key_itself() -> None:
    metadata = {"a.b": 1, "a": {"b": 2}, "caf\u00e9": 3, "c": 4}
    left = Privacy(drop_metadata=["a.b", "cafe\u0301"])({"id": 1, "metadata": metadata})["metadata"]
    assert left == {"a": {"b": 2}, "c": 4}


def test_metadata_that_is_too_deep_to_look_into_does_not_pass() -> None:
    deep: Any = "000-00-0000"
    for _ in range(900):
        deep = {"a": deep}
    redaction = Redaction(Privacy(drop_metadata=["ssn"]))
    assert redaction({"id": 1, "metadata": deep})["metadata"] is None


def test_kept_metadata_is_kept_by_its_exact_key_alone_with_all_that_it_holds() -> None:
    metadata = {"state": {"email": "a"}, "State": 1, "other": {"state": 2}}
    assert Privacy(keep_metadata=["state"])({"id": 1, "metadata": metadata})["metadata"] == {
        "state": {"email": "a"}
    }


@pytest.mark.parametrize("metadata", ["ssn 000-00-0000", ["000-00-0000"], 0])
@pytest.mark.parametrize("rule", [{"keep_metadata": ["first_name"]}, {"drop_metadata": ["ssn"]}])
def test_metadata_without_keys_does_not_pass_a_rule_on_keys(rule: dict[str, Any], metadata: Any) -> None:
    assert Privacy(**rule)({"id": 1, "metadata": metadata})["metadata"] is None


def test_a_reject_is_redacted_too() -> None:
    privacy = Privacy(exclude_fields=["email"])
    assert privacy({"email": "ada@example.com", "status": "NEW"}) == {"status": "NEW"}
    assert privacy(["ada@example.com"]) is None


def test_the_salt_is_in_no_repr() -> None:
    assert SALT not in repr(Privacy(hash_fields=["email"], salt=SALT))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"exclude_fields": ["id"]}, "id is the key of a lead"),
        ({"hash_fields": ["id"], "salt": SALT}, "id is the key of a lead"),
        ({"hash_fields": ["lead_type"], "salt": SALT}, "lead_type is no text field"),
        ({"hash_fields": ["email"]}, "salt of at least 16 characters"),
        ({"hash_fields": ["email"], "salt": "short"}, "salt of at least 16 characters"),
        ({"hash_fields": ["email"], "salt": " " * 16}, "salt of at least 16 characters"),
        ({"hash_fields": ["email"], "salt": None}, "salt of at least 16 characters"),
        ({"hash_fields": ["email"], "salt": b"x" * 16}, "salt of at least 16 characters"),
        ({"exclude_fields": None}, "exclude_fields is no list of texts"),
        ({"keep_metadata": 5}, "keep_metadata is no list of texts"),
        ({"keep_metadata": [None]}, "keep_metadata is empty"),
        ({"drop_metadata": None}, "drop_metadata is no list of texts"),
        ({"drop_metadata": {"ssn": 1}}, "drop_metadata is no list of texts"),
        ({"hash_fields": ["email"], "exclude_fields": ["email"], "salt": SALT}, "both excluded and hashed"),
        ({"exclude_fields": ["emial"]}, "exclude_fields: no documented field is called 'emial', .* is email"),
        (
            {"hash_fields": ["phone"], "salt": SALT},
            "hash_fields: .*the nearest is phone_number; .*extra.phone",
        ),
        ({"exclude_fields": ["Email"]}, "the nearest is email"),
        ({"exclude_fields": ["score"]}, r"is written extra\.score"),
        ({"exclude_fields": ["extra.email"]}, "documents email, so it is written email"),
        ({"hash_fields": ["extra"], "salt": SALT}, "extra is no field, name one as extra.score"),
        ({"hash_fields": ["extra.a"], "exclude_fields": ["extra"], "salt": SALT}, "both excluded and hashed"),
        ({"keep_metadata": ["a"], "drop_metadata": ["b"]}, "both kept and dropped"),
        ({"exclude_fields": "email"}, "exclude_fields is one text: give a list"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(SelaRequestError, match=message):
        Privacy(**rules)
