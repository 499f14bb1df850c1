"""Figures of a read in all places, the list of statistics, and what a broken backend may not do."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_sela import metrics
from airflow_provider_sela.dlt.resources import LOADS
from airflow_provider_sela.metrics import METRICS, ReadStats
from airflow_provider_sela.snapshot.verdict import Strength
from airflow_provider_sela.warehouse import tables
from tests.conftest import REPOSITORY


def test_every_statistic_in_the_code_is_listed_and_every_listed_one_is_in_the_code() -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "airflow_provider_sela").rglob("*.py"))
    used = set(re.findall(r'metrics\.(?:count|duration)\(f?"(sela\.[^"]+)"', code))
    verdicts = {f"sela.verdict.{strength.name.lower()}" for strength in Strength}
    assert used == {*METRICS} - verdicts | {"sela.verdict.{verdict.strength.name.lower()}"}
    assert verdicts <= METRICS.keys()


def test_each_figure_of_a_read_is_a_count_and_each_count_a_column_of_all_tables_of_loads() -> None:
    figures: Any = {field.name: place for place, field in enumerate(fields(ReadStats)) if field.type == "int"}
    counts = ReadStats(started=datetime(2026, 11, 1, tzinfo=UTC), **figures).counts()
    assert sorted(counts.values()) == sorted(figures.values())
    for columns in (tables.LOADS.fields, LOADS):
        assert [field.name for field in columns if field.name in counts] == list(counts)


def test_a_backend_that_fails_breaks_nothing(monkeypatch: pytest.MonkeyPatch, hook: Any) -> None:
    from airflow.providers.common.compat.sdk import Stats

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(Stats, "incr", fail, raising=False)
    monkeypatch.setattr(Stats, "timing", fail, raising=False)
    metrics.count("sela.requests", "sela_default")
    with hook.snapshot() as snapshot:
        assert len(snapshot) == 250
