"""What stands for the bytes of a lead stands for one row only."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b

import pytest

from airflow_provider_sela.api.leads import lead_row
from airflow_provider_sela.warehouse.digests import (
    HASH_LENGTH,
    LENGTH,
    RULES,
    lead_digester,
    remarks,
    row_digest,
    telling_digest,
)
from airflow_provider_sela.warehouse.mysql import MySQLDialect
from airflow_provider_sela.warehouse.postgres import PostgresDialect
from tests.support.odd_values import LEADS

DIGEST, HASH = RULES + "d" * (LENGTH - 1), "0123456789abcdef" * 2


def test_digests_change_with_the_rules_by_which_rows_are_made() -> None:
    """Where this fails, rows are made in another way: give ``RULES`` another character, and say so here."""
    rows = [MySQLDialect().adapt(lead_row(item)).values for item in LEADS]
    text = json.dumps(rows, ensure_ascii=False)
    assert (RULES, blake2b(text.encode(), digest_size=8).hexdigest()) == ("1", "7ed96d1ef9712dcf")


def test_databases_with_limits_of_their_own_share_no_digest() -> None:
    digests = {
        lead_digester(dialect)(lead)
        for dialect in (MySQLDialect(), PostgresDialect())
        for lead in (b"", b"{}")
    }
    assert len(digests) == 4
    assert {len(digest) for digest in digests} == {LENGTH}


@pytest.mark.parametrize(
    ("nulled", "unknown", "names"),
    [
        ((), (), ""),
        (("status", "status"), (), "status status"),
        ((), ("score", "_x1"), "+score +_x1"),
        (("lead_type",), ("score",), "lead_type +score"),
    ],
)
def test_a_row_tells_what_was_told_of_its_lead(
    nulled: tuple[str, ...], unknown: tuple[str, ...], names: str
) -> None:
    assert telling_digest(row_digest(DIGEST, HASH), nulled, unknown) == f"{DIGEST}{HASH[:HASH_LENGTH]}{names}"
    assert remarks([(names, 3), ("", 7)]) == (
        Counter({name: 3 * nulled.count(name) for name in nulled}), set(unknown),
    )  # fmt: skip


@pytest.mark.parametrize("unknown", [[""], ["two words"], ["é"], ["+"], ["a" * 250]])
def test_what_no_row_can_tell_is_looked_for_each_time(unknown: list[str]) -> None:
    assert telling_digest(row_digest(DIGEST, HASH), [], unknown) is None
