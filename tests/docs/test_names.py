"""What pages name exists, and what exists is named: options, results, commands, words of reasons."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.models.connection import Connection
from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseSensorOperator

from airflow_provider_sela import cli
from airflow_provider_sela.dlt import sela_leads
from airflow_provider_sela.dlt.resources import LOADS, REJECTS
from airflow_provider_sela.metrics import READ_COUNTS, RowCounts
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.settings import Settings
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from tests.conftest import REPOSITORY
from tests.docs.pages import PAGES, Block, blocks, prose, table, word
from tests.docs.public import CLASSES
from tests.support.databases import DuckDB

DOCS, PACKAGE = REPOSITORY / "docs", REPOSITORY / "airflow_provider_sela"
ALL = "".join(page.read_text() for page in PAGES)
#: Options of programs that are not ours.
THEIRS = {"max_total_time"}


def arguments(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def taken() -> set[str]:
    """Arguments that something takes: ours, and Airflow's own of a DAG, an operator and a sensor."""
    found = arguments(sela_leads)
    for kind in [*CLASSES, DAG, BaseOperator, BaseSensorOperator]:
        for base in kind.__mro__[:-1]:
            found |= arguments(base.__init__) if "__init__" in vars(base) else set()
        for _, method in inspect.getmembers(kind, inspect.isfunction):
            found |= arguments(method)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_option_that_a_page_names_is_one_that_something_takes(page: Path) -> None:
    named = {
        name for code in re.findall(r"`([^`\n]+)`", prose(page)) for name in re.findall(r"\b([a-z_]+)=", code)
    }
    counts = {*READ_COUNTS, *RowCounts._fields}
    assert named - counts - THEIRS <= taken()


def test_the_page_on_dlt_names_every_parameter_and_every_column_of_the_books() -> None:
    text = (DOCS / "dlt.md").read_text()
    assert arguments(sela_leads) <= set(re.findall(r"\b(\w+)\b", text.partition("## Parameters")[2]))
    rows = {word(row["resource"]): row["rows"] for row in table(DOCS / "dlt.md", "resource", "rows")}
    assert re.findall(r"`(\w+)`", rows["_sela_loads"]) == [field.name for field in LOADS]
    assert set(re.findall(r"`(\w+)`", rows["_sela_rejects"])) == {field.name for field in REJECTS}


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDB]:
    database = DuckDB(tmp_path)
    with SelaApi(leads=30) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
        yield database


def described(kind: type[Any], beginning: str) -> set[str]:
    """Keys that the paragraph on a class's XCom names."""
    (paragraph,) = (
        part for part in (inspect.getdoc(kind) or "").split("\n\n") if part.lstrip().startswith(beginning)
    )
    outside = re.sub(r"\((?:[^()]|\n)*\)", "", paragraph)
    return set(re.findall(r"``(\w+)``", outside))


@pytest.mark.airflow
def test_the_xcom_of_a_load_has_the_keys_that_are_described(warehouse: DuckDB, tmp_path: Path) -> None:
    landed = SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads").execute({})
    assert set(landed) == described(SelaLeadsToSqlOperator, "The XCom is one flat dict")
    written = SelaLeadsOperator(task_id="write", path=str(tmp_path / "leads.csv")).execute({})
    assert set(written) == described(SelaLeadsOperator, "The XCom with ``path``")


@pytest.mark.airflow
@pytest.mark.parametrize("block", list(blocks(DOCS / "operations.md", "sql")), ids=str)
def test_sql_for_those_who_watch_runs_as_it_is_pasted(warehouse: DuckDB, block: Block) -> None:
    SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads").execute({})
    (row,) = warehouse.rows(block.code)
    assert "ATOMIC" in row or "PROVEN(id)" in row


def commands() -> dict[str, set[str]]:
    """Long options of each command of ours."""
    [group] = cli.get_sela_commands()
    return {
        each.name: {flag for arg in each.args for flag in arg.flags if flag.startswith("--")}
        for each in group.subcommands
    }


def test_every_command_and_each_of_its_options_is_on_a_page() -> None:
    for name, options in commands().items():
        assert f"airflow sela {name}" in ALL
        for option in options:
            assert f"`{option}" in ALL or f" {option} " in ALL, f"{name} {option}"


def test_exit_statuses_are_told_as_they_are() -> None:
    told = re.findall(r"[Tt]he exit status is (.+?)[.;]", ALL.replace("\n", " "))
    statuses = {str(cli.EXIT_OK), str(cli.EXIT_REMARKS), str(cli.EXIT_BROKEN)}
    assert told
    assert all(set(re.findall(r"\b\d\b", sentence)) == statuses for sentence in told)


def spoken() -> str:
    """The package's source, with what is split over lines put together."""
    source = "".join(path.read_text() for path in sorted(PACKAGE.rglob("*.py")))
    return re.sub(r'"\s*\n\s*f?"', "", source)


def fits(reason: str, source: str) -> bool:
    """Whether a text of the package, values aside, is the one that a page shows."""
    pieces = [re.escape(piece) for piece in re.split(r"\b[\d,]+\b|…|-?created_time$|\bid\b", reason)]
    return re.search(r"[^\"\n]{0,40}?".join(pieces), source) is not None


@pytest.mark.parametrize(("page", "head"), [("partial.md", "`why_full`"), ("completeness.md", "reason")])
def test_a_reason_that_a_page_explains_is_one_that_is_given(page: str, head: str) -> None:
    source = spoken()
    reasons = [reason for row in table(DOCS / page, head) for reason in re.findall(r"`([^`]+)`", row[head])]
    assert len(reasons) > 6
    assert [reason for reason in reasons if not fits(reason, source)] == []


def extras() -> Iterator[tuple[str, str, str]]:
    """Where connections with extras are added, of which type, and the extras."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in re.sub(r"\\\n", " ", block.code).split("\nairflow "):
                words = shlex.split(line, comments=True)
                if "--conn-extra" in words:
                    kind, extra = (words[words.index(f"--conn-{name}") + 1] for name in ("type", "extra"))
                    yield str(block), kind, extra


def test_extras_on_a_page_are_those_of_the_connection() -> None:
    found = list(extras())
    assert {"sela", "snowflake", "jdbc", "odbc"} <= {kind for _, kind, _ in found}
    for place, kind, extra in found:
        assert isinstance(json.loads(extra), dict), place
        if kind != "sela":
            continue
        connection = Connection(conn_id="pasted", conn_type="sela", password="s3cr3t", extra=extra)
        assert Settings.from_connection(connection).unknown_extras == {}, place


def test_a_connection_as_a_variable_is_read_as_it_is_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks(DOCS / "connection.md", "ini"):
        for name, value in re.findall(r"(AIRFLOW_CONN_\w+)='(.+)'", block.code):
            monkeypatch.setenv(name, value.replace("…", "s3cr3t"))
    read = Settings.from_connection(Connection.get_connection_from_secrets("sela_default"))
    assert (read.page_size, read.unknown_extras) == (1000, {})


def test_what_the_page_on_testing_has_the_api_do_can_be_done() -> None:
    for row in table(DOCS / "testing.md", "call", "effect"):
        for call in re.findall(r"`([^`]+)`", row["call"]):
            with SelaApi(leads=250) as sela_api:
                exec(compile(call, "testing.md", "exec"), {"sela_api": sela_api})  # noqa: S102 (our own page)
            assert not call.startswith("sela_api.") or hasattr(sela_api, re.findall(r"\.(\w+)", call)[0])
