"""What stands in a block of code on a page works: Python runs, shell commands exist."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.docs.pages import COMPILED_ONLY, PAGES, Block, blocks, prose

PYTHON = [page for page in PAGES if any(blocks(page, "python"))]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
INSTALLERS = {"pip", "uv", "uvx"}
BIN = str(Path(sys.executable).parent)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def sketched(block: Block) -> bool:
    """Whether arguments are left out, as in ``SelaLeadSensor(..., soft_fail=True)``."""
    calls = [node for node in ast.walk(ast.parse(block.code)) if isinstance(node, ast.Call)]
    return any(isinstance(part, ast.Constant) and part.value is ... for call in calls for part in call.args)


def words() -> dict[str, Any]:
    """What a page need not import again and again."""
    import pendulum
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_sela.hooks.sela import SelaHook
    from airflow_provider_sela.operators.leads import SelaLeadsOperator
    from airflow_provider_sela.retry import SelaRetryPolicy
    from airflow_provider_sela.sensors.leads import SelaLeadSensor
    from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
    from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger

    known = [DAG, SelaHook, SelaLeadsOperator, SelaLeadsToSqlOperator, SelaLeadSensor, SelaLeadsEventTrigger]
    found = {one.__name__: one for one in [*known, SelaRetryPolicy, timedelta]}
    sdk = pytest.importorskip("airflow.sdk", reason="pages speak of Airflow 3")
    return found | {"pendulum": pendulum, "Asset": sdk.Asset, "AssetWatcher": sdk.AssetWatcher}


@pytest.mark.airflow
@pytest.mark.parametrize("page", PYTHON, ids=name)
def test_python_on_a_page_runs_block_after_block(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each inside a DAG, so that a snippet of an operator builds the task that it shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_DUCKDB_DEFAULT", json.dumps({"conn_type": "duckdb", "host": "x.duckdb"}))
    namespace = {**words(), "__name__": "a_page"}
    with SelaApi(leads=30) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        for block in blocks(page, "python"):
            code = compile(block.code, str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if block.mark == COMPILED_ONLY or sketched(block):
                continue
            with namespace["DAG"]("a_page", schedule=None) as around:
                result = eval(code, namespace)  # noqa: S307 (our own pages)
                if inspect.iscoroutine(result):
                    asyncio.run(result)
            dags = [around, *(one for one in namespace.values() if isinstance(one, namespace["DAG"]))]
            built = {task.task_id for dag in dags for task in dag.tasks}
            shown = set(re.findall(r'^    task_id="([\w.]+)"', block.code, re.MULTILINE))
            assert shown <= built, str(block)


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
                    if parts:
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
    program, *arguments = command
    if program == "airflow":
        if arguments == ["sela"]:
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
        assert shutil.which(program, path=BIN) or program in brought, place
        for path in arguments:
            assert not path.startswith("tests/") or (REPOSITORY / path).exists(), place


def without_options(arguments: list[str]) -> list[str]:
    """The command that ``uv run`` runs."""
    while arguments[0].startswith("-"):
        arguments = arguments[2 if arguments[0] in ("--group", "--with") else 1 :]
    return arguments


def parsed(arguments: list[str]) -> None:
    """Whether this Airflow knows the command and its options."""
    from airflow.cli.cli_parser import get_parser

    try:
        get_parser().parse_args(arguments)
    except SystemExit as refused:
        if refused.code:
            pytest.fail(f"airflow refuses {arguments}")
