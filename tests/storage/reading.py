"""Reads files back with other people's code."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet

COLUMNS = [
    "id", "email", "phone_number", "metadata", "modified_time", "created_time", "status", "status_reason",
    "lead_source", "lead_type", "next_call_time", "next_call_time_reason", "external_id", "us_state",
    "received_time", "reengagements_count", "last_reengagement_time", "call_schedule_start_time", "sms_dnc",
    "call_dnc", "extra",
]  # fmt: skip
TIMES = {name for name in COLUMNS if name.endswith("_time")}
INTEGERS = {"id", "lead_type", "reengagements_count"}
BOOLEANS = {"sms_dnc", "call_dnc"}


def read_jsonl(data: bytes) -> list[Any]:
    """Every line of a JSON Lines file, gzip or not."""
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """Every row of a Parquet file."""
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Every row of a CSV file, gzip or not, as DuckDB reads it: it tells NULL from an empty text.

    The standard library must see the same cells.
    """
    rows = duckdb.sql(
        f"SELECT * FROM read_csv('{path}', header=true, all_varchar=true, allow_quoted_nulls=false, "
        "delim=',', quote='\"', escape='\"', max_line_size=20000000, strict_mode=true, parallel=false)"
    )
    assert rows.columns == COLUMNS
    found = rows.fetchall()
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    csv.field_size_limit(1 << 24)
    cells = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert cells == [COLUMNS, *([value or "" for value in row] for row in found)]
    return [{name: _value(name, value) for name, value in zip(COLUMNS, row, strict=True)} for row in found]


def _value(name: str, text: str | None) -> Any:
    if text is None:
        return None
    if name in TIMES:
        return datetime.fromisoformat(text)
    if name in BOOLEANS:
        return {"true": True, "false": False}[text]
    return int(text) if name in INTEGERS else text


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
