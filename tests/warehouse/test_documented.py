"""What docs/landing.md and docs/engines say is what the code does."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect

from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Field, Kind
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi, sample_leads
from airflow_provider_sela.warehouse.generic import GenericEngine
from airflow_provider_sela.warehouse.refused import REFUSED
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.snowflake import SESSION
from airflow_provider_sela.warehouse.sqlalchemy_dialect import SQLAlchemyDialect
from airflow_provider_sela.warehouse.tables import LOADS, REJECTS, Mode
from tests.support.databases import Database, DuckDB
from tests.support.loads import lead, load_leads
from tests.warehouse.documented import codes, statement, table

PAGES = {
    "duckdb": "duckdb", "sqlite": "sqlite", "postgres": "postgres", "mariadb": "mysql",
    "snowflake": "snowflake", "generic": "other", "h2": "other", "hsqldb": "other",
}  # fmt: skip
DIALECTS = ("postgresql", "mssql", "oracle", "mysql", "standard")
MONDAY, TUESDAY = (datetime(2026, 11, day, 6, tzinfo=UTC) for day in (2, 3))


def page(database: Database) -> str:
    return f"engines/{PAGES[database.name]}.md"


def test_the_types_of_columns_are_those_of_the_page(database: Database) -> None:
    engine = engine_for("warehouse", "leads")
    if isinstance(engine, GenericEngine):
        pytest.skip("see the next test")
    dialect = engine.dialect
    rows = table(page(database), "## Column types")
    assert [Kind(row[0]) for row in rows] == list(Kind)
    for kind, own, also in rows:
        assert codes(own) == [dialect.types[Kind(kind)]]
        allowed = {name.lower() for name in codes(own)} | set(codes(also))
        assert allowed == dialect.accepted[Kind(kind)] | {dialect.types[Kind(kind)].lower()}


def test_the_types_of_other_databases_are_those_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(DuckDB(tmp_path).connection))
    dialect = SQLAlchemyDialect(engine_for("warehouse", "leads").hook)
    rows = table("engines/other.md", "## Column types")
    assert [Kind(row[0]) for row in rows] == list(Kind)
    for place, name in enumerate(DIALECTS, 1):
        dialect.__dict__["sqlalchemy"] = DefaultDialect() if name == "standard" else registry.load(name)()
        for row in rows:
            assert codes(row[place]) == [dialect.column_type(Field("any", Kind(row[0])))]


def test_the_databases_that_are_refused_are_those_of_the_page() -> None:
    rows = table("engines/index.md", "## Refused, with the way out")
    assert [(name, load.replace("`", "")) for name, _, load in rows] == [
        (database.name, database.load) for database in REFUSED
    ]


def test_the_query_of_the_page_gives_what_it_says(database: Database) -> None:
    if database.name in ("h2", "hsqldb"):
        pytest.skip("it has no functions that look into JSON")
    leads = sample_leads(100)
    load_leads(leads)
    objects = [item["metadata"] for item in leads if isinstance(item["metadata"], dict)]
    wanted = Counter(metadata["state"] for metadata in objects if "state" in metadata)
    found = database.rows(statement(page(database), "## Query the leads"))
    assert {state: number for state, number in found if state is not None} == wanted
    assert len(wanted) > 3


def test_the_session_of_snowflake_is_that_of_the_page() -> None:
    rows = table("engines/snowflake.md", "These parameters of the session are set at login, whatever the"
                 " account or the connection says:")  # fmt: skip
    assert {codes(name)[0]: value.lower() for name, value in rows} == {
        name: str(value).lower() for name, value in SESSION.items()
    }


@pytest.fixture
def duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DuckDB:
    database = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    return database


def shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_gives_the_rows_of_its_example(duckdb: DuckDB, mode: Mode) -> None:
    load_leads([lead(1, status="OPEN"), lead(2, status="OPEN")], mode=mode, run_id="monday", started=MONDAY)
    later = [lead(1, status="CLOSED"), lead(3, status="OPEN")]
    load_leads(later, mode=mode, run_id="tuesday", started=TUESDAY)
    names = ["id", "status", "_sela_run_id"]
    if mode is Mode.HISTORY:
        names += ["_sela_valid_from", "_sela_valid_to"]
    rows = duckdb.table(order="id, _sela_synced_at")
    assert [[shown(row[name]) for name in names] for row in rows] == table(
        "landing.md", f"<!-- rows of {mode} -->"
    )


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("the target", [field for field in Mode.HISTORY.layout.fields if field not in LEAD_FIELDS]),
        ("_sela_loads", LOADS.fields),
        ("_sela_rejects", REJECTS.fields),
    ],
)
def test_the_columns_that_are_ours_are_those_of_the_page(name: str, fields: list[Field]) -> None:
    rows = table("landing.md", f"<!-- columns of {name} -->")
    assert [(codes(row[0])[0], row[1]) for row in rows] == [
        (field.name, field.kind.value) for field in fields
    ]
    assert EXTRA in Mode.MERGE.layout.fields


def test_the_manifest_has_the_keys_of_the_page(
    api: SelaApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    path = tmp_path / "leads.parquet"
    SelaLeadsOperator(task_id="file", path=str(path)).execute({"run_id": "manual__1"})
    manifest = json.loads(Path(f"{path}.manifest.json").read_text())
    told = [key for row in table("landing.md", "<!-- keys of the manifest -->") for key in codes(row[0])]
    assert sorted(told) == sorted(manifest)
