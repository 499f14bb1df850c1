from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.raw import RawLead, raw_page
from airflow_provider_sela.storage.spool import Spool, Tell
from tests.support.spooling import T1, T2, T3, add, lead


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as opened:
        yield opened


def test_each_lead_is_there_once_in_the_order_of_arrival(spool: Spool) -> None:
    assert [add(spool, lead(key)) for key in (3, 1, 2, 1)] == [True, True, True, False]
    assert [item["id"] for item in spool] == [3, 1, 2]
    assert len(spool) == 3
    assert 1 in spool
    assert 9 not in spool


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [(T1, T2, "second"), (T2, T1, "first"), (T1, T1, "second"), (None, T1, "second"), (T1, None, "first"),
     (T1, "malformed", "first"), ("malformed", None, "second")],
)  # fmt: skip
def test_of_two_versions_the_newest_by_modified_time_wins(
    spool: Spool, first: Any, second: Any, winner: str
) -> None:
    add(spool, lead(1, first, status="first"))
    add(spool, lead(1, second, status="second"))
    assert [item["status"] for item in spool] == [winner]


def test_times_are_compared_as_moments_and_not_as_text(spool: Spool) -> None:
    add(spool, lead(1, "2025-01-01T09:00:00+09:00", status="older"))
    add(spool, lead(1, "2025-01-01T00:00:01+00:00", status="newer"))
    assert [item["status"] for item in spool] == ["newer"]


def test_a_spool_can_be_read_and_added_to_in_turn_and_compacts_each_time(spool: Spool) -> None:
    for turn, modified in enumerate((T1, T2, T3)):
        for key in range(50):
            add(spool, lead(key, modified, turn=turn))
        add(spool, lead(100 + turn, modified, turn=turn))
        assert [item["turn"] for item in spool if item["id"] < 100] == [turn] * 50
        with open(spool.path(), "rb") as sealed:  # noqa: PTH123 (a descriptor)
            assert len(sealed.read().splitlines()) == len(spool) == 51 + turn


def test_leads_can_be_read_in_the_order_of_their_ids(spool: Spool) -> None:
    for key in (3, 1, 2):
        add(spool, lead(key, T1, status="old"))
    add(spool, lead(3, T2, status="new"))
    assert [(item["id"], item["status"]) for item in map(json.loads, spool.lines_by_id())] == [
        (1, "old"),
        (2, "old"),
        (3, "new"),
    ]


def test_a_sealed_spool_is_a_file_of_json_lines_with_the_distinct_leads_only(spool: Spool) -> None:
    add(spool, lead(1, T1, status="old\nline"))
    add(spool, lead(1, T2, status="new\nline \u2028 é"))
    add(spool, lead(2))
    with open(spool.path(), encoding="utf-8", newline="\n") as sealed:  # noqa: PTH123 (a descriptor)
        assert [json.loads(line)["id"] for line in sealed] == [1, 2]


def test_lines_are_made_of_leads_while_they_are_read_again() -> None:
    met: list[int] = []

    def encode(item: RawLead, tell: Tell) -> bytes:
        met.append(item.id)
        tell(("email", "status"), ("score",))
        return json.dumps({"id": item.id}).encode()

    with Spool(encode) as spool:
        add(spool, lead(1, email="ada@example.com"))
        add(spool, lead(2, email="bob@example.com"))
        assert (met, spool.nulled, spool.fields.unknown) == ([], 0, [])
        lines = spool.lines()
        assert (next(lines), met) == (b'{"id": 1}', [1])
        assert list(lines) == [b'{"id": 2}']
        assert (spool.nulled, spool.fields.unknown) == (4, ["score"])


def test_what_lines_tell_can_be_known_without_them() -> None:
    met: list[int] = []

    def encode(item: RawLead, tell: Tell) -> bytes:
        met.append(item.id)
        tell(("email",), ())
        return b"x"

    with Spool(encode) as spool:
        for key in (1, 2):
            add(spool, lead(key))
            spool.make_all()
            spool.make_all()
            assert spool.nulled == key
        assert met == [1, 1, 2]


def test_leads_are_on_disk_in_the_bytes_that_came_one_a_line(spool: Spool) -> None:
    sent, halved = b'{"id":7,\n "email":"a\\u0000\\n"}', b'{"id":8, "email":"a\\u0000\\ud800\\n"}'
    spool.add_all(raw_page(b'{"count":1,"next":null,"results":[%b]}' % sent, 1).leads)
    spool.add_all([RawLead(8, None, None, halved)])
    with open(spool.path(), "rb") as sealed:  # noqa: PTH123 (a descriptor)
        assert sealed.read() == sent.replace(b"\n", b" ") + b"\n" + halved + b"\n"


def test_a_page_may_show_a_lead_twice_and_one_that_is_known(spool: Spool) -> None:
    def page(*leads: tuple[int, str, str]) -> list[RawLead]:
        return [RawLead.from_lead(lead(key, modified, status=status)) for key, modified, status in leads]

    spool.add_all([])
    spool.add_all(page((1, T1, "a"), (2, T3, "a"), (3, T1, "a")))
    spool.add_all(page((4, T1, "b"), (2, T1, "b"), (3, T2, "b"), (5, T1, "b")))
    spool.add_all(page((6, T2, "c"), (6, T1, "d"), (1, T1, "c"), (1, T1, "d")))
    expected = {1: "d", 2: "a", 3: "b", 4: "b", 5: "b", 6: "c"}
    assert {item["id"]: item["status"] for item in spool} == expected
    assert [json.loads(line)["status"] for line in spool.lines_by_id()] == list(expected.values())


def test_who_watches_is_told_of_each_lead_that_comes() -> None:
    met: list[int] = []
    with Spool(watch=lambda item: met.append(item.id)) as spool:
        for key in (1, 2, 1):
            add(spool, lead(key))
    assert met == [1, 2, 1]


def test_malformed_values_count_for_the_version_that_stays() -> None:

    def encode(item: RawLead, tell: Tell) -> bytes:
        tell(json.loads(item.json)["metadata"], ())
        return item.json

    with Spool(encode) as spool:
        assert (spool.nulled, spool.nulled_columns()) == (0, {})
        add(spool, lead(1, T1, metadata=["email"]))
        add(spool, lead(1, T2, metadata=["lead_type"]))
        add(spool, lead(2, T2, metadata=["id", "lead_type", "extra"]))
        add(spool, lead(3, T2, metadata=[]))
        spool.make_all()
        assert spool.nulled == 4
        assert list(spool.nulled_columns().items()) == [("lead_type", 2), ("id", 1), ("extra", 1)]


def test_results_without_an_id_are_kept_once_each(spool: Spool) -> None:
    for item in ({"a": 1}, {"a": 1}, None, "x", {"b": "\x00"}):
        spool.reject(item)
    assert spool.rejected == 4
    assert list(spool.reject_lines()) == [b'{"a":1}', b"null", b'"x"', b'{"b":"\\\\u0000"}']
    assert len(spool) == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 59), st.integers(0, 3), st.booleans())))
def test_a_spool_agrees_with_a_dictionary(events: list[tuple[int, int, int, bool]]) -> None:
    expected: dict[int, tuple[int, int]] = {}
    with Spool() as spool:
        for key, second, content, look in events:
            add(spool, lead(key, f"2025-01-01T00:00:{second:02}+00:00", status=str(content)))
            if key not in expected or second >= expected[key][0]:
                expected[key] = (second, content)
            if look:
                spool.path()
        assert [(item["id"], item["status"]) for item in spool] == [
            (key, str(content)) for key, (_, content) in expected.items()
        ]


def test_a_version_whose_line_looks_the_same_still_counts_as_the_newest() -> None:
    """Where the encoder leaves ``modified_time`` out, only the index knows which version is newer."""
    with Spool(lambda item, tell: json.dumps([item.id, item.decode().get("status")]).encode()) as spool:
        for modified, status in ((T1, "a"), (T3, "a"), (T2, "b")):
            add(spool, lead(1, modified, status=status))
        assert list(spool) == [[1, "a"]]


def test_a_lead_whose_time_is_left_out_still_gives_way_to_a_newer_version(spool: Spool) -> None:
    for modified, status in ((2, "b"), (3, "c"), (1, "a"), (None, "z")):
        spool.add_all([RawLead.from_lead({"id": 1, "status": status})._replace(modified=modified)])
    assert [item["status"] for item in spool] == ["c"]


def test_the_newest_change_is_known_without_reading(spool: Spool) -> None:
    assert spool.newest is None
    add(spool, lead(1, T2))
    add(spool, lead(2, "malformed", status="x" * 1000))
    add(spool, lead(3, T1))
    assert spool.newest == datetime(2025, 1, 1, 0, 0, 2, tzinfo=UTC)


def test_the_newest_change_is_known_of_leads_that_are_dated_before_1970(spool: Spool) -> None:
    add(spool, lead(1, "1969-12-31T23:59:58+00:00"))
    add(spool, lead(2, "1969-12-31T23:59:59+00:00"))
    assert spool.newest == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
