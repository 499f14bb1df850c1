"""Leads written to a file are the leads read back from it, by other readers than our own code."""

from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.api.leads import Lead, lead_row
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaRequestError, SelaSetupError
from airflow_provider_sela.storage.files import FORMATS, delimited_line
from airflow_provider_sela.testing import sample_leads
from tests.storage.landing import land, manifest, names
from tests.storage.reading import COLUMNS, TIMES, read_csv, read_jsonl, read_parquet, sha256
from tests.support.nasty import CASES, LEADS, NULLED, ROWS, decoded

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
TYPED = SUFFIXES[2:]


def read_rows(path: Path) -> list[dict[str, Any]]:
    return read_parquet(path) if path.suffix == ".parquet" else read_csv(path)


def sample_row(lead: dict[str, Any]) -> dict[str, Any]:
    """What the row of a sample lead must hold; of its values only ``next_call_time`` may be malformed."""
    row: dict[str, Any] = {}
    for name, value in lead.items():
        if value is None or (name == "next_call_time" and value.startswith("025-")):
            continue
        row[name] = datetime.fromisoformat(value).astimezone(UTC) if name in TIMES else value
    if "next_call_time" not in row and lead["next_call_time"] is not None:
        row["extra"] = {"_invalid": {"next_call_time": lead["next_call_time"]}}
    return row


@pytest.mark.parametrize("suffix", TYPED)
def test_sample_leads_come_back_typed(tmp_path: Path, suffix: str) -> None:
    path, leads = tmp_path / f"leads{suffix}", sample_leads(500)
    land(f"file://{path}", reversed(leads))
    assert [decoded(row) for row in read_rows(path)] == [sample_row(lead) for lead in leads]


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_json_lines_hold_each_lead_as_sent(tmp_path: Path, suffix: str) -> None:
    path, leads = tmp_path / f"leads{suffix}", sample_leads(500)
    land(path.as_uri(), reversed(leads))
    assert read_jsonl(path.read_bytes()) == leads


@pytest.mark.parametrize("suffix", TYPED)
def test_nasty_values_come_back_or_are_null_with_their_raw_form_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"leads{suffix}"
    land(path, LEADS)
    found = [decoded(row) for row in read_rows(path)]
    assert dict(zip(CASES, found, strict=True)) == dict(zip(CASES, ROWS, strict=True))
    assert manifest(path)["nulled"] == NULLED


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_json_lines_alter_nothing_but_what_no_database_takes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"leads{suffix}"
    land(path, LEADS)
    expected = json.loads(json.dumps(LEADS).replace("\\u0000", "\\\\u0000"))
    for lead in expected:
        if lead.get("email") == "a\ud800b":
            lead["email"] = "a\\ud800b"
        if lead.get("metadata") == {"\\u0000": "\udfff"}:
            lead["metadata"] = {"\\u0000": "\\udfff"}
    assert read_jsonl(path.read_bytes()) == expected


def test_parquet_columns_have_real_types_in_a_fixed_order(tmp_path: Path) -> None:
    path = tmp_path / "leads.parquet"
    land(path, sample_leads(3))
    schema = pyarrow.parquet.read_schema(path)
    assert schema.names == COLUMNS
    types: dict[str, list[str]] = {str(field.type): [] for field in schema}
    for field in schema:
        types[str(field.type)].append(field.name)
    assert set(types) == {"int64", "string", "timestamp[us, tz=UTC]", "bool"}
    assert types["int64"] == ["id", "lead_type", "reengagements_count"]
    assert set(types["timestamp[us, tz=UTC]"]) == TIMES
    assert types["bool"] == ["sms_dnc", "call_dnc"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_lead_at_all_makes_a_file_that_readers_accept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"leads{suffix}"
    land(path, [])
    if suffix in TYPED:
        assert read_rows(path) == []
    else:
        assert read_jsonl(path.read_bytes()) == []
    assert manifest(path)["read"] == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_leads_give_the_same_bytes_in_whatever_order_they_came(tmp_path: Path, suffix: str) -> None:
    leads = sample_leads(300)
    first, second = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    land(first, leads)
    land(second, reversed(leads))
    assert first.read_bytes() == second.read_bytes()
    assert manifest(first)["sha256"] == manifest(second)["sha256"] == sha256(first.read_bytes())


def test_gzip_carries_neither_time_nor_name(tmp_path: Path) -> None:
    path = tmp_path / "leads.jsonl.gz"
    land(path, sample_leads(1))
    header = path.read_bytes()[:10]
    assert header[3] == 0
    assert header[4:8] == bytes(4)
    assert gzip.decompress(path.read_bytes()).startswith(b"{")


def test_parquet_of_many_row_groups_loses_no_lead(tmp_path: Path) -> None:
    path = tmp_path / "leads.parquet"
    land(path, ({**lead, "metadata": "x" * 60_000} for lead in sample_leads(700)))
    file = pyarrow.parquet.ParquetFile(path)
    assert file.num_row_groups > 1
    assert file.read(columns=["id"]).column("id").to_pylist() == [lead["id"] for lead in sample_leads(700)]


def test_parquet_looks_for_repetitions_where_values_repeat(tmp_path: Path) -> None:
    path = tmp_path / "leads.parquet"
    land(path, sample_leads(300))
    group = pyarrow.parquet.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    assert {column.path_in_schema for column in columns if column.has_dictionary_page} == {
        "status", "status_reason", "lead_source", "lead_type", "next_call_time_reason", "us_state",
        "reengagements_count",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["", "leads", "leads.json", "leads.parquet.gz", "s3://bucket/", "file:///"])
def test_an_unknown_suffix_is_refused_with_the_allowed_ones_named(path: str) -> None:
    with pytest.raises(SelaRequestError, match="allowed are " + ", ".join(SUFFIXES)):
        land(path, [])


def test_a_suffix_counts_in_any_case(tmp_path: Path) -> None:
    land(tmp_path / "LEADS.CSV", sample_leads(1))
    assert "LEADS.CSV" in names(tmp_path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SelaSetupError, match=r"airflow-provider-sela\[parquet\]"):
        land(tmp_path / "leads.parquet", [])
    assert names(tmp_path) == []


@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(["null", "true", '"', "\\", "\r\n", '\\"', "a,b"]), max_size=6
    )
)
def test_any_text_is_the_same_in_parquet(texts: list[str]) -> None:
    written = [{"id": key, "email": text, "metadata": text} for key, text in enumerate(texts)]
    rows = [lead_row(lead).values for lead in written]
    raw = [RawLead.from_lead(cast(Lead, lead)) for lead in written]
    lines = iter([delimited_line(each, lambda nulled, unknown: None) for each in raw])
    file = io.BytesIO()
    next(known for known in FORMATS if known.suffix == ".parquet").fill(lines, file)
    found = pyarrow.parquet.read_table(file).to_pylist()
    assert [(row["email"], row["metadata"], row["extra"]) for row in found] == [
        (row["email"], row["metadata"], row["extra"]) for row in rows
    ]
