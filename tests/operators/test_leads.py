"""SelaLeadsOperator: leads to XCom, bounded, or to a file, unbounded."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_sela.exceptions import SelaUnavailableError
from airflow_provider_sela.operators.lead_results import MAX_XCOM_BYTES
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi, sample_lead, sample_leads
from tests.storage.landing import manifest, names
from tests.storage.reading import read_jsonl, read_parquet, sha256
from tests.support.s3 import S3Store
from tests.support.tasks import rendered

RESULT = [
    "path", "verdict", "read", "new", "changed", "unchanged", "deleted", "ahead", "nulled", "rejected",
    "requests", "retries", "repaired", "passes", "scope", "since", "why_full", "seconds",
]  # fmt: skip


@pytest.fixture
def sela(api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> SelaApi:
    """The sample API of 250 leads as ``sela_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    return api


@pytest.fixture
def big_sela(monkeypatch: pytest.MonkeyPatch) -> Iterator[SelaApi]:
    """An API of 20,000 leads, 100 a page."""
    lead = sample_lead(28000)
    leads = [{**lead, "id": lead_id} for lead_id in range(20_000)]
    with SelaApi(leads=leads, page_size=100, max_page_size=100) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        yield server


def execute(context: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return SelaLeadsOperator(task_id="leads", **arguments).execute(context or {})


def test_the_xcom_holds_each_lead_as_the_api_sent_it(sela: SelaApi) -> None:
    assert execute() == sample_leads(250)


def test_the_xcom_survives_json_and_what_databases_refuse(sela: SelaApi) -> None:
    lead = {"id": 1, "email": "\x00", "metadata": {"a": "\ud800"}}
    page = {"count": 1, "next": None, "previous": None, "results": [lead]}
    sela.answer_next(200, body=json.dumps(page), times=9)
    assert execute() == [{"id": 1, "email": "\\u0000", "metadata": {"a": "\\ud800"}}]


def test_filters_reach_the_api(sela: SelaApi) -> None:
    assert execute(external_id="id_in_your_crm_28003") == [sample_lead(28003)]
    assert execute(external_id="nobody") == []


def test_the_verdict_is_logged_with_the_counts(
    sela: SelaApi, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow 3 logs by structlog to standard output, Airflow 2 by the standard library."""
    caplog.set_level(logging.INFO)
    execute()
    told = caplog.text + capsys.readouterr().out
    assert re.search("returning 250 leads as XCom, [0-9]+ bytes, verdict (ATOMIC|PROVEN)", told)


def test_as_many_leads_as_the_limit_are_returned(sela: SelaApi) -> None:
    assert len(execute(max_xcom_leads=250)) == 250
    with pytest.raises(AirflowFailException, match=r"more than 249 leads \(max_xcom_leads\)"):
        execute(max_xcom_leads=249)


def test_too_many_leads_for_an_xcom_stop_the_read_early_and_name_the_ways_out(big_sela: SelaApi) -> None:
    with pytest.raises(AirflowFailException) as told:
        execute()
    assert "SelaLimitError: more than 1000 leads" in str(told.value)
    assert "path" in str(told.value)
    assert "SelaLeadsToSqlOperator" in str(told.value)
    assert len(big_sela.requests) < 30


def test_a_thousand_sample_leads_fit_with_room_to_spare() -> None:
    """The default limit is argued by size; it must not collide with the other one."""
    assert len(json.dumps(sample_leads(1000))) < MAX_XCOM_BYTES / 3


def test_few_leads_of_many_bytes_stop_the_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    leads = [{**lead, "metadata": "x" * 1_000_000} for lead in sample_leads(50)]
    with SelaApi(leads=leads, page_size=1, max_page_size=1) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        with pytest.raises(AirflowFailException, match="more than 4 MiB of leads"):
            execute()
        assert len(server.requests) < 20


@pytest.mark.parametrize("limit", [0, -1, "many", ""])
def test_a_limit_that_is_none_is_refused_before_any_request(sela: SelaApi, limit: Any) -> None:
    with pytest.raises(AirflowFailException, match="max_xcom_leads"):
        rendered(SelaLeadsOperator, native=False, max_xcom_leads=limit).execute({})
    assert sela.requests == []


def test_a_file_holds_all_leads_and_the_result_says_so(sela: SelaApi, tmp_path: Path) -> None:
    path = tmp_path / "leads.jsonl"
    result = execute({"run_id": "manual__1"}, path=str(path))
    assert list(result) == RESULT
    assert result["path"] == path.as_uri()
    assert result["read"] == 250
    assert result["verdict"].startswith(("ATOMIC", "PROVEN"))
    assert [result[name] for name in ("new", "changed", "unchanged", "deleted", "ahead")] == [None] * 5
    assert read_jsonl(path.read_bytes()) == sample_leads(250)
    told = manifest(path)
    shared = ("path", "verdict", "read", "nulled", "rejected", "requests", "retries")
    assert {name: told[name] for name in shared} == {name: result[name] for name in shared}
    assert (told["run_id"], told["proven"]) == ("manual__1", True)
    assert told["sha256"] == sha256(path.read_bytes())


def test_a_typed_file_counts_what_was_malformed(sela: SelaApi, tmp_path: Path) -> None:
    result = execute(path=str(tmp_path / "leads.parquet"))
    rows = read_parquet(tmp_path / "leads.parquet")
    malformed = [row for row in rows if row["extra"] and "_invalid" in row["extra"]]
    assert result["nulled"] == len(malformed) == 5


def test_results_without_an_id_are_counted_and_kept_beside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Sloppy(SelaApi):
        def paginate(self, *arguments: Any, **options: Any) -> Any:
            page = super().paginate(*arguments, **options)
            return replace(page, results=[{"email": "no.id@example.com"}, *page.results])

    with Sloppy(leads=5) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        result = execute(path=str(tmp_path / "leads.csv"), on_unverified="warn")
    assert (result["read"], result["rejected"]) == (5, 1)
    assert read_jsonl((tmp_path / "leads.csv.rejects.jsonl").read_bytes()) == [{"email": "no.id@example.com"}]


def test_a_rerun_gives_the_same_bytes(sela: SelaApi, tmp_path: Path) -> None:
    path = tmp_path / "leads.csv.gz"
    execute(path=str(path))
    first = path.read_bytes()
    execute(path=str(path))
    assert path.read_bytes() == first
    assert names(tmp_path) == ["leads.csv.gz", "leads.csv.gz.manifest.json"]


@pytest.mark.parametrize("path", ["leads.xlsx", "", "/leads/"])
def test_a_path_that_names_no_format_is_refused_before_any_request(sela: SelaApi, path: str) -> None:
    with pytest.raises(AirflowFailException, match=r"allowed are \.jsonl, \.jsonl\.gz, \.csv"):
        rendered(SelaLeadsOperator, path=path).execute({})
    assert sela.requests == []


@pytest.mark.server
def test_a_missing_bucket_is_told_before_any_request(sela: SelaApi, s3: S3Store) -> None:
    with pytest.raises(AirflowFailException, match=r"SelaTargetError: s3://nowhere/leads\.csv"):
        execute(path="s3://nowhere/leads.csv", conn_id="storage")
    assert sela.requests == []


def test_a_read_that_fails_leaves_the_old_file(
    sela: SelaApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "leads.jsonl"
    execute(path=str(path))
    old = path.read_bytes()
    sela.close()
    connection = {**sela.connection, "extra": {"max_attempts": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
    with pytest.raises(SelaUnavailableError):
        execute(path=str(path))
    assert path.read_bytes() == old
    assert names(tmp_path) == ["leads.jsonl", "leads.jsonl.manifest.json"]


@pytest.mark.server
@pytest.mark.parametrize("as_object", [True, False])
def test_path_and_connections_are_templates(sela: SelaApi, s3: S3Store, as_object: bool) -> None:
    url = "s3://{{ bucket }}/{{ ds }}/leads.jsonl"
    operator = SelaLeadsOperator(
        task_id="leads",
        path=ObjectStoragePath(url, conn_id="storage") if as_object else url,
        conn_id=None if as_object else "{{ storage }}",
        sela_conn_id="sela_{{ which }}",
        external_id="id_in_your_crm_{{ number }}",
        max_xcom_leads="{{ number }}",
    )
    values = {"bucket": "sela", "ds": "2026-11-23", "storage": "storage", "which": "default", "number": 28003}
    operator.render_template_fields(values)
    result = operator.execute({})
    assert operator.max_xcom_leads == 28003
    assert result["path"] == "s3://sela/2026-11-23/leads.jsonl"
    assert read_jsonl(s3.read("2026-11-23/leads.jsonl")) == [sample_lead(28003)]


def test_attempts_of_a_task_never_share_a_temporary_file(sela: SelaApi, tmp_path: Path) -> None:
    class Instance:
        dag_id, task_id, run_id, map_index = "dag", "task", "scheduled__2026-11-23T00:00:00+00:00", -1

        def __init__(self, try_number: int) -> None:
            self.try_number = try_number

    seen: list[list[str]] = []

    class Looking(SelaLeadsOperator):
        def snapshot(self, *arguments: Any, **named: Any) -> Any:
            seen.append(names(tmp_path))
            return super().snapshot(*arguments, **named)

    for attempt in (1, 2):
        operator = Looking(task_id="leads", path=str(tmp_path / "leads.csv"))
        operator.execute({"ti": Instance(attempt)})
    (first,), (second, *_) = seen
    assert first.endswith(".1.tmp")
    assert second == first.replace(".1.tmp", ".2.tmp")
    assert "scheduled" not in first


def test_importing_the_operator_costs_no_heavy_import() -> None:
    """What Airflow itself has imported by then does not count."""
    program = """
import sys
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, AirflowFailException, Context
before = set(sys.modules)
import airflow_provider_sela.operators.leads
roots = {name.partition('.')[0] for name in set(sys.modules) - before}
heavy = {'pyarrow', 'fsspec', 'upath', 's3fs', 'httpx', 'duckdb', 'pandas', 'openlineage', 'boto3'}
print(sorted(roots & heavy))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().split("\n")[-1] == "[]"


@pytest.mark.server
@pytest.mark.airflow
def test_a_dag_run_returns_and_writes_leads_and_logs_none_of_them(
    sela: SelaApi, s3: S3Store, tmp_path: Path
) -> None:
    planted = "planted-5f2b"
    for lead in sample_leads(250):
        sela.update(lead["id"], email=f"{planted}@example.com", status_reason=planted)
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(folder / "leads_dag.py"), str(tmp_path / "out")],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "PYTHONPATH": str(folder.parent.parent),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    # Airflow itself logs what it stores as XCom at DEBUG.
    output = [
        line
        for line in (done.stdout + done.stderr).split("\n")
        if not line.startswith("XCOMS ") and "msg=SetXCom(" not in line
    ]
    xcoms = [line for line in done.stdout.split("\n") if line.startswith("XCOMS ")]
    assert xcoms, "\n".join(output[-40:])
    told = json.loads(xcoms[0].removeprefix("XCOMS "))
    assert told["state"] == "success"
    assert [(lead["id"], lead["email"]) for lead in told["to_xcom"]] == [(28007, f"{planted}@example.com")]
    path = tmp_path / "out" / str(len(told["run_id"])) / "leads.csv.gz"
    assert told["to_file"]["path"] == path.as_uri()
    assert told["to_file"]["read"] == 250
    assert manifest(path)["run_id"] == told["run_id"]
    assert told["to_store"]["path"] == "s3://sela/leads/to_store.parquet"
    assert s3.keys() == ["leads/to_store.parquet", "leads/to_store.parquet.manifest.json"]
    assert any("verdict=" in line for line in output)
    assert [line for line in output if planted in line] == []
