"""Which fields leads have: told by name, whatever form the names come in."""

from __future__ import annotations

import json

from airflow_provider_sela.api.fields import FieldNames
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.testing import sample_leads

LEAD = sample_leads(1)[0]


def names(*leads: object) -> tuple[list[str], list[str]]:
    seen = FieldNames()
    for lead in leads:
        raw = lead if isinstance(lead, RawLead) else RawLead.from_lead(lead)  # type: ignore[arg-type]
        seen.look(raw)
        seen.add_unknown(raw.row().unknown)
    return seen.missing, seen.unknown


def test_without_a_lead_nothing_is_missing() -> None:
    assert names() == ([], [])


def test_a_field_is_missing_only_where_no_lead_has_it() -> None:
    without = [
        {k: v for k, v in LEAD.items() if k not in gone} for gone in (("email", "status"), ("status",))
    ]
    assert names(*without) == (["status"], [])
    assert names(*without, LEAD) == ([], [])


def test_a_field_that_is_null_is_there() -> None:
    assert names(dict.fromkeys(LEAD) | {"id": 1}) == ([], [])


def test_a_value_that_looks_like_a_key_is_none() -> None:
    lead = {k: v for k, v in LEAD.items() if k != "email"}
    assert names({**lead, "metadata": {"email": '"email"'}, "status_reason": '"email":'}) == (["email"], [])


def test_a_key_that_is_written_with_escapes_is_there() -> None:
    text = json.dumps(LEAD).replace('"email"', '"\\u0065mail"')
    assert names(RawLead(LEAD["id"], None, None, text.encode())) == ([], [])


def test_unknown_fields_are_told_once_in_order() -> None:
    assert names({**LEAD, "beta": 1}, {**LEAD, "alpha": None, "beta": 2}) == ([], ["alpha", "beta"])


def test_a_name_that_holds_somebodys_data_is_not_told() -> None:
    assert names({**LEAD, "kim@example.com": 1, "+18042221111": 2, "x\ny": 3}) == ([], ["(no plain name)"])


def test_no_more_names_are_kept_than_fields_can_have() -> None:
    assert len(names({**LEAD, **{f"f{number}": 0 for number in range(5000)}})[1]) == 100
