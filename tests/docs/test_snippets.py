"""What stands in a block of code on a page works when it is pasted: Python runs, shell commands exist."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from tests.conftest import REPOSITORY
from tests.docs.pages import PAGES, Block, blocks, prose

#: Run elsewhere, each page as a whole: what stands on them builds on what stands above.
FOLLOWED = [REPOSITORY / "docs" / name for name in ("index.md", "testing.md")]
PYTHON = [block for page in PAGES if page not in FOLLOWED for block in blocks(page, "python")]
_TASK = re.compile(r'(?:task_id="|^    def )(\w+)', re.MULTILINE)
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
INSTALLERS = {"pip", "uv", "uvx"}
#: Of the shell itself.
BUILT_IN = {".", "export"}
#: What a page is about and the package does not bring: run in tests/warehouse/test_dbt.py.
ELSEWHERE = {"dbt"}
BIN = str(Path(sys.executable).parent)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.airflow
@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_on_a_page_runs_as_it_is_pasted(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each alone, and so with all that it imports; one with a DAG as a file in the folder of DAGs."""
    pytest.importorskip("airflow.sdk", reason="pages speak of Airflow 3")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_DUCKDB_DEFAULT", json.dumps({"conn_type": "duckdb", "host": "x.duckdb"}))
    with SelaApi(leads=30) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        if "with DAG(" in block.code:
            dags = found(block.code, tmp_path)
            assert {task.task_id for dag in dags for task in dag.tasks} == set(_TASK.findall(block.code))
            landing = [dag for dag in dags for task in dag.tasks if isinstance(task, SelaLeadsToSqlOperator)]
            assert all(dag.max_active_runs == 1 for dag in landing)
        else:
            exec(compile(block.code, str(block), "exec"), {"__name__": "pasted"})  # noqa: S102 (our own pages)


def found(code: str, folder: Path) -> list[Any]:
    """DAGs that Airflow finds in a file."""
    from airflow.dag_processing.dagbag import DagBag

    (folder / "pasted.py").write_text(code)
    bag = DagBag(str(folder))
    assert not bag.import_errors
    return list(bag.dags.values())


def lines(code: str) -> Iterator[str]:
    """Lines as a shell takes them: what ends in a backslash or inside of quotes goes on."""
    begun = ""
    for line in code.replace("\\\n", " ").splitlines():
        begun += line
        if not begun.count("'") % 2:
            yield begun
            begun = ""
        else:
            begun += "\n"


def commands() -> Iterator[tuple[str, list[str]]]:
    """Commands in blocks and in the running text, with where they stand."""
    for page in PAGES:
        for block in blocks(page, "sh", "bash", "shell", "console"):
            for line in lines(block.code):
                for command in re.split(r"&&|\|\|", line.removeprefix("$ ")):
                    parts = shlex.split(command, comments=True)
                    if parts and parts[0] not in BUILT_IN:
                        yield str(block), parts
        for found in re.findall(r"`((?:airflow|uv|python -m|\.ci/run)(?: [^`…]+)?)`", prose(page)):
            for command in found.split("&&"):
                yield name(page), shlex.split(command)


COMMANDS = list(commands())


@pytest.mark.airflow
@pytest.mark.parametrize(("place", "command"), COMMANDS, ids=[" ".join(words) for _, words in COMMANDS])
def test_a_command_on_a_page_exists(place: str, command: list[str]) -> None:
    while re.fullmatch(r"\w+=.*", command[0]):
        command = command[1:]
    brought = set(PROJECT["project"]["scripts"])
    if command[:2] == ["uv", "run"]:
        groups = [command[at + 1] for at, word in enumerate(command) if word == "--group"]
        needs = [text for group in groups for text in PROJECT["dependency-groups"][group]]
        brought |= {re.split(r"[<>=\[]", text)[0] for text in needs}
        brought |= {command[at + 1] for at, word in enumerate(command) if word == "--with"}
        command = without_options(command[2:])
    program, *arguments = command[: command.index(">")] if ">" in command else command
    if program == "airflow":
        if arguments in (["sela"], ["sela", "dbt"]):
            arguments.append("--help")
        if arguments:
            parsed(arguments)
    elif program == "python" and arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]), place
    elif program in INSTALLERS:
        extras = {
            extra
            for found in re.findall(r"sela\[([\w,]+)\]", " ".join(arguments))
            for extra in found.split(",")
        }
        assert extras <= PROJECT["project"]["optional-dependencies"].keys(), place
        groups = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--group"]
        assert set(groups) <= PROJECT["dependency-groups"].keys(), place
    elif "/" in program:
        assert (REPOSITORY / program).is_file(), place
    else:
        assert shutil.which(program, path=BIN) or program in brought | ELSEWHERE, place
        for path in arguments:
            assert not path.startswith("tests/") or (REPOSITORY / path).exists(), place


def without_options(arguments: list[str]) -> list[str]:
    """The command that ``uv run`` runs."""
    while arguments[0].startswith("-"):
        arguments = arguments[2 if arguments[0] in ("--extra", "--group", "--with") else 1 :]
    return arguments


def parsed(arguments: list[str]) -> None:
    """Whether this Airflow knows the command and its options."""
    from airflow.cli.cli_parser import get_parser

    try:
        get_parser().parse_args(arguments)
    except SystemExit as refused:
        if refused.code:
            pytest.fail(f"airflow refuses {arguments}")
