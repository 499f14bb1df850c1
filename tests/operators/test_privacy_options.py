"""A misspelt privacy option is refused where its name can be known, and told where only the leads know it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi, sample_leads
from tests.operators.parts_run import PartsRun

SALT = "a salt of many characters"
UNMET = "{} of {} names in {} met nothing in any lead"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was logged: Airflow 3 logs by structlog to standard output, Airflow 2 by the standard library."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text + "".join(capfd.readouterr())


@pytest.fixture
def sela(monkeypatch: pytest.MonkeyPatch) -> Iterator[SelaApi]:
    """1,000 leads, 50 at a time, one of them with a field that is not documented, in the last page."""
    leads: list[dict[str, Any]] = [{**lead} for lead in sample_leads(1000)]
    leads[-1]["score"] = "secret-score"
    with SelaApi(leads=leads, page_size=50, max_page_size=50) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
        yield server


def read(tmp_path: Path, **arguments: Any) -> str:
    """What lands."""
    path = tmp_path / "leads.jsonl"
    SelaLeadsOperator(task_id="read", path=str(path), **arguments).execute({})
    return path.read_text()


MISSPELT: list[tuple[dict[str, Any], tuple[int, int, str]]] = [
    ({"keep_metadata": ["sate"]}, (1, 1, "keep_metadata")),
    ({"keep_metadata": ["city", "sate"]}, (1, 2, "keep_metadata")),
    ({"drop_metadata": ["snn", "city", "emial"]}, (2, 3, "drop_metadata")),
    ({"exclude_fields": ["email", "extra.scor"]}, (1, 1, "exclude_fields")),
    ({"hash_fields": ["extra.scor", "email"], "salt_conn_id": "salt"}, (1, 1, "hash_fields")),
]


def test_a_token_is_no_salt(sela: SelaApi, tmp_path: Path) -> None:
    """It is changed one day, and every hash would be another one."""
    with pytest.raises(AirflowFailException, match="'sela_default' holds a token of Sela's"):
        read(tmp_path, hash_fields=["email"], salt_conn_id="sela_default")
    assert sela.requests == []


@pytest.mark.parametrize(("options", "counts"), MISSPELT)
def test_a_name_that_met_nothing_in_the_whole_read_is_counted_in_a_warning(
    sela: SelaApi,
    tmp_path: Path,
    told: Callable[[], str],
    options: dict[str, Any],
    counts: tuple[int, int, str],
) -> None:
    read(tmp_path, **options)
    log = told()
    assert UNMET.format(*counts) in log
    assert log.count("met nothing") == 1
    assert not any(name in log for name in ("sate", "snn", "emial", "scor", "secret", "@example.com"))


@pytest.mark.parametrize(("options", "counts"), MISSPELT)
def test_the_last_task_of_a_read_in_parts_tells_it_for_all_of_them(
    sela: SelaApi,
    tmp_path: Path,
    told: Callable[[], str],
    options: dict[str, Any],
    counts: tuple[int, int, str],
) -> None:
    run = PartsRun(tmp_path, **options)
    parts = [run.read(part) for part in run.plan()]
    assert "met nothing" not in told()
    run.land(parts)
    log = told()
    assert UNMET.format(*counts) in log
    assert log.count("met nothing") == 1


MET: list[dict[str, Any]] = [
    {},
    {"keep_metadata": ["city"]},
    {"keep_metadata": []},
    {"drop_metadata": ["city", "state"], "exclude_fields": ["extra", "email", "extra.score"]},
    {"hash_fields": ["extra.score", "phone_number"], "salt_conn_id": "salt"},
]


@pytest.mark.parametrize("options", MET)
def test_names_that_are_met_anywhere_are_worth_no_warning(
    sela: SelaApi, tmp_path: Path, told: Callable[[], str], options: dict[str, Any]
) -> None:
    read(tmp_path, **options)
    PartsRun(tmp_path, **options).all()
    assert "met nothing" not in told()


def test_where_there_are_no_leads_nothing_can_be_said(
    sela: SelaApi, tmp_path: Path, told: Callable[[], str]
) -> None:
    read(tmp_path, external_id="nobody", keep_metadata=["sate"])
    assert "met nothing" not in told()


def test_a_field_that_is_not_documented_is_hidden_by_its_explicit_name(sela: SelaApi, tmp_path: Path) -> None:
    assert "secret-score" in read(tmp_path)
    assert "secret-score" not in read(tmp_path, exclude_fields=["extra.score"])
    hashed = read(tmp_path, hash_fields=["extra.score"], salt_conn_id="salt")
    assert "secret-score" not in hashed
    (score,) = (lead["score"] for lead in map(json.loads, hashed.splitlines()) if "score" in lead)
    assert len(score) == 32


REPEATED = {
    "email": "ada@example.com",
    "phone_number": "+18045550123",
    "metadata": {"Email": "ada@example.com", "best phone": "(804) 555-0123", "notes": "to ada@example.com"},
}


@pytest.mark.parametrize("cover", [{"keep_metadata": ["city"]}, {"exclude_fields": ["metadata", "email"]}])
def test_metadata_that_repeats_what_is_hidden_is_covered_as_the_docs_say(
    sela: SelaApi, tmp_path: Path, cover: dict[str, Any]
) -> None:
    for key in list(sela.leads):
        sela.update(key, **REPEATED)
    hidden = {"hash_fields": ["email", "phone_number"], "salt_conn_id": "salt"}
    if "exclude_fields" in cover:
        hidden["hash_fields"] = ["phone_number"]
    landed = read(tmp_path, **hidden, **cover)
    assert not any(text in landed for text in ("ada@", "555-0123", "5550123"))
