"""What ``airflow sela dbt`` prints, given to the databases, and to dbt itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Template

from airflow_provider_sela import cli
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.warehouse import dbt
from airflow_provider_sela.warehouse.metadata_sql import FORMS
from airflow_provider_sela.warehouse.tables import Mode
from tests.support import servers
from tests.support.databases import Database, DuckDB, Postgres
from tests.support.loads import lead, load, load_leads, moment

on_each_engine = pytest.mark.parametrize(
    "database",
    [
        "duckdb",
        *(pytest.param(name, marks=pytest.mark.server) for name in ("mariadb", "postgres", "snowflake")),
    ],
    indirect=True,
)
#: Newer ones come with a second engine of 150 MB; the words of dbt are those since 1.10.8.
DBT = "dbt-core>=1.10.8,<1.12"
NOON = datetime(2025, 2, 28, 20, 0, tzinfo=UTC)
#: Of each type: what metadata may hold, and what its column holds then.
VALUES: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        ("Ann", "Ann"),
        ("null", "null"),
        ('é"\\', 'é"\\'),
        (7, "7"),
        (True, "true"),
        (None, None),
        ("", ""),
    ],
    "integer": [(7, 7), ("-7", -7), ("9" * 18, 10**18 - 1), ("9" * 30, None), ("7.5", None), ("seven", None)],
    "number": [(7, Decimal(7)), ("350000.50", Decimal("350000.5")), ("1,000", None), ("", None), ({}, None)],
    "boolean": [(True, True), ("false", False), ("yes", None), ([], None)],
    "timestamp": [
        ("2025-02-28T12:00:00-08:00", NOON),
        ("2025-02-28T20:00:00Z", NOON),
        ("2025-02-28T12:00:00.123456-08:00", NOON.replace(microsecond=123456)),
        ("025-02-28T12:00:00-08:00", None),
        ("2025-02-30T12:00:00-08:00", None),
        ("2025-02-28T12:00:00", None),
    ],
    "us_timestamp": [
        ("02/28/2025 15:09", datetime(2025, 2, 28, 15, 9)),  # noqa: DTZ001 (nothing tells its zone)
        ("02/30/2025 15:09", None),
        ("28/02/2025 15:09", None),
        ("2025-02-28", None),
    ],
}


def engine_of(database: Database) -> str:
    return "mysql" if database.name == "mariadb" else database.name


def schema_of(database: Database) -> str:
    return "main" if isinstance(database, DuckDB) else database.schema  # type: ignore[attr-defined]


def staged(database: Database, mode: Mode = Mode.MERGE, metadata: Iterable[str] = ()) -> list[dict[str, Any]]:
    """What the model selects, by dbt's own rules for names."""
    engine = engine_of(database)
    text = dbt.model(engine, f"{schema_of(database)}.leads", mode, metadata)
    names = {name: dbt.ENGINES[engine][0](name) for name in ("leads", "_sela_loads")}
    sql = Template(text).render(source=lambda _, name: f"{database.quote}{names[name]}{database.quote}")
    with database.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY id")
        columns = [column[0].lower() for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@on_each_engine
@pytest.mark.parametrize("kind", VALUES)
def test_a_key_of_metadata_has_its_type_and_a_bad_value_is_null(database: Database, kind: str) -> None:
    if database.name == "snowflake" and "timestamp" in kind:
        pytest.skip("the emulation of Snowflake has no try_to_timestamp_tz, and knows no such form")
    given = VALUES[kind]
    odd = [[], "text", 7, None, {}]
    leads = [lead(number, metadata={"a key": value}) for number, (value, _) in enumerate(given)]
    leads += [lead(100 + number, metadata=value) for number, value in enumerate(odd)]
    load_leads(leads)
    rows = staged(database, metadata=[f"a key:{kind}"])
    found = [row["metadata_a_key"] for row in rows]
    assert [same(value) for value in found] == [*(wanted for _, wanted in given), *(None for _ in odd)]
    assert "metadata" not in rows[0]


def same(value: Any) -> Any:
    """Times of all databases as one: MySQL's have no zone and are in UTC."""
    if isinstance(value, datetime) and (value.tzinfo or value.hour == NOON.hour):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


@on_each_engine
def test_the_model_has_the_leads_of_today_and_takes_silence_for_no(database: Database) -> None:
    load_leads([lead(1, sms_dnc=None), lead(2, sms_dnc=False), lead(3)], started=moment(0))
    load_leads([lead(1, sms_dnc=None), lead(2, sms_dnc=False)], started=moment(1), deleted_ids=[3])
    assert [(row["id"], bool(row["sms_dnc"])) for row in staged(database)] == [(1, True), (2, False)]


@on_each_engine
@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.HISTORY])
def test_a_table_with_many_rows_of_a_lead_gives_the_newest(database: Database, mode: Mode) -> None:
    for hours, status in enumerate(("NEW", "OPEN")):
        changed = [lead(1, status=status), lead(2)]
        load_leads(changed, mode=mode, run_id=f"run {hours}", started=moment(hours))
    assert len(database.table()) > 2
    rows = staged(database, mode)
    assert [row["id"] for row in rows] == [1, 2]
    assert rows[0]["status"] == "OPEN"


@pytest.mark.parametrize("engine", dbt.ENGINES)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("table", ["sales.leads", 'raw.sales."Bob\'s leads"', 'sales."Ведущие"'])
def test_sources_are_yaml_that_names_the_tables_as_the_database_does(
    engine: str, mode: Mode, table: str
) -> None:
    [source] = yaml.safe_load(dbt.sources(engine, table, mode))["sources"]
    leads, loads = source["tables"]
    fold = dbt.ENGINES[engine][0]
    assert source["schema"] == fold("sales")
    assert source.get("database") == (fold("raw") if table.startswith("raw") else None)
    assert loads["identifier"] == fold("_sela_loads")
    assert leads["identifier"] in (fold("leads"), "Bob's leads", "Ведущие")
    text = json.dumps(source)
    assert ("arguments" in text, "data_tests" in text) == (
        (False, False) if engine == "mysql" else (True, True)
    )
    assert f"'{leads['name']}'" in dbt.model(engine, table, mode)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: dbt.sources("mysql", "leads", Mode.MERGE), "with its database"),
        (lambda: dbt.sources("duckdb", 'x."{{ y }}"', Mode.MERGE), "braces"),
        (lambda: dbt.model("duckdb", "leads; x", Mode.MERGE), "table is 'leads; x'"),
        (lambda: dbt.model("duckdb", "leads", Mode.MERGE, ["age:int"]), "the types are text, integer"),
        (lambda: dbt.model("duckdb", "leads", Mode.MERGE, ["it's"]), "without quotes"),
        (lambda: dbt.model("duckdb", "leads", Mode.MERGE, ["{{ x }}"]), "without quotes"),
        (lambda: dbt.model("duckdb", "leads", Mode.MERGE, ["город"]), "a letter or digit of ASCII"),
        (lambda: dbt.model("duckdb", "leads", Mode.MERGE, ["a b", "a_b"]), "is that of 'a b'"),
    ],
)
def test_what_cannot_stand_in_a_model_is_refused(make: Callable[[], str], said: str) -> None:
    with pytest.raises(SelaRequestError, match=said):
        make()


def test_every_type_is_tested() -> None:
    assert VALUES.keys() == FORMS.keys()


#: Runs dbt's commands in one process, because it takes dbt seconds to start, and prints what each came to.
DRIVER = """
import json, sys
from dbt.cli.main import dbtRunner

for words in json.loads(sys.argv[1]):
    done = dbtRunner().invoke(words)
    if done.exception:
        raise done.exception
    nodes = {each.node.unique_id: str(each.status) for each in done.result.results}
    print("RESULT", json.dumps({"success": done.success, "nodes": nodes}))
"""
#: As strict as can be: nothing of what is printed may be on its way out.
STRICT = ("--no-use-colors", "--warn-error-options", '{"error": ["Deprecations"]}')


class Project:
    """A dbt project of two printed files.

    :param table: the table that it stages.
    """

    def __init__(self, folder: Path, database: Database, table: str) -> None:
        self.folder = folder / table
        staging = self.folder / "models" / "staging"
        staging.mkdir(parents=True)
        words = ["--engine", database.name, "--table", f"{schema_of(database)}.{table}"]
        (staging / "sources.yml").write_text(_printed("sources", *words))
        keys = ["--metadata", "first_name", "--metadata", "created_at:us_timestamp"]
        (staging / f"stg_sela__{table}.sql").write_text(_printed("model", *words, *keys))
        (self.folder / "dbt_project.yml").write_text(f"name: {table}\nprofile: warehouse\n")
        profile = {"target": "test", "outputs": {"test": _profile(database)}}
        (self.folder / "profiles.yml").write_text(json.dumps({"warehouse": profile}))

    def commands(self) -> list[list[str]]:
        """Build with all tests, then ask how fresh the source is."""
        place = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        return [[*STRICT, "build", *place], [*STRICT, "source", "freshness", *place]]


def _printed(*words: str) -> str:
    with redirect_stdout(StringIO()) as out:
        cli.main(["dbt", *words])
    return out.getvalue()


def _profile(database: Database) -> dict[str, Any]:
    if isinstance(database, Postgres):
        server = {"host": "127.0.0.1", "port": database.port, "user": "sela", "password": "unused"}
        return {"type": "postgres", **server, "dbname": "postgres", "schema": f"{database.schema}_dbt"}
    assert isinstance(database, DuckDB)
    return {"type": "duckdb", "path": str(database.path), "schema": "dbt"}


def _in_environment_of_dbt(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    needed = ("dbt-duckdb", "dbt-postgres", f"duckdb=={version('duckdb')}")
    options = ["--quiet", "--no-build", "--python", sys.executable, "--from", DBT]
    command = ["uvx", *options, *(word for name in needed for word in ("--with", name)), "python", *words]
    # To write byte code of all that dbt could import takes longer than the test.
    environment = {**os.environ, "UV_COMPILE_BYTECODE": "0", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def run_dbt(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[tuple[bool, dict[str, str]]]]:
    """The real dbt, in an environment of its own: its pins and Airflow's exclude each other."""
    folder = tmp_path_factory.mktemp("dbt")
    if shutil.which("uvx") is None:
        servers.lacking("uv is not installed, which makes an environment for dbt")
    found = _in_environment_of_dbt(folder, "-c", "import dbt.adapters.duckdb, dbt.adapters.postgres")
    if found.returncode:
        servers.lacking(f"dbt cannot be installed: {found.stderr}")

    def run(commands: list[list[str]]) -> list[tuple[bool, dict[str, str]]]:
        done = _in_environment_of_dbt(folder, "-c", DRIVER, json.dumps(commands))
        assert done.returncode == 0, done.stdout + done.stderr
        told = [
            json.loads(line.removeprefix("RESULT"))
            for line in done.stdout.splitlines()
            if line.startswith("RESULT")
        ]
        return [
            (each["success"], {_short(name): status for name, status in each["nodes"].items()})
            for each in told
        ]

    return run


def _short(unique_id: str) -> str:
    """A node by what tells it from others: its test and column, or its name."""
    kind, _, name, *rest = unique_id.split(".")
    return (
        name.removeprefix("source_").partition("__BAD_NUMBER")[0] if kind == "test" else (rest or [name])[-1]
    )


@pytest.mark.parametrize(
    "database", ["duckdb", pytest.param("postgres", marks=pytest.mark.server)], indirect=True
)
def test_dbt_builds_the_model_tests_the_source_and_tells_when_it_is_stale(
    database: Database,
    api: SelaApi,
    run_dbt: Callable[..., list[tuple[bool, dict[str, str]]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second table has an old load, a lead twice, and a status that nobody has seen."""
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    api.update(28_000, metadata={"first_name": "Ann", "created_at": "02/28/2025 15:09"})
    load()
    database.run("CREATE TABLE worse AS SELECT * FROM leads")
    database.run("INSERT INTO worse SELECT * FROM leads WHERE id = 28000")
    database.run("UPDATE worse SET status = 'UNHEARD_OF' WHERE id = 28001")
    database.run("CREATE TABLE old AS SELECT * FROM _sela_loads")
    database.run(
        "UPDATE old SET attempt_id = 'another', target = 'worse', started = started - INTERVAL '5 hours'"
    )
    database.run("INSERT INTO _sela_loads SELECT * FROM old")
    good, bad = (Project(tmp_path, database, table) for table in ("leads", "worse"))
    built, fresh, built_bad, stale = run_dbt(good.commands() + bad.commands())
    assert built == (True, {
        "stg_sela__leads": "success",
        "not_null_sela_leads_id": "pass",
        "unique_sela_leads_id": "pass",
        "accepted_values_sela_leads_status": "pass",
        "not_null_sela_leads__sela_synced_at": "pass",
        "not_null_sela__sela_loads_verdict": "pass",
    })  # fmt: skip
    assert fresh == (True, {"_sela_loads": "pass"})
    assert not built_bad[0]
    assert built_bad[1]["unique_sela_worse_id"] == "fail"
    assert built_bad[1]["accepted_values_sela_worse_status"] == "warn"
    assert stale == (True, {"_sela_loads": "warn"})
    columns = "count(*), max(metadata_first_name), max(metadata_created_at)"
    found = database.rows(
        f"SELECT {columns} FROM {_profile(database)['schema']}.stg_sela__leads WHERE id = 28000"
    )
    assert found == [(1, "Ann", datetime(2025, 2, 28, 15, 9))]  # noqa: DTZ001
