"""The rooms of the design, from the syntax tree: who may import whom, and what an import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_sela"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

#: From the bottom up; a module belongs to the room with the longest name that begins its own.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "__init__", "exceptions", "api", "status", "leads", "raw", "delimited", "settings", "walk", "pacing",
        "progress", "redaction", "snapshot", "privacy", "newest", "patience", "checkup",
    ),
    (
        "certificates", "session", "transport", "async_transport", "spool", "hooks", "files", "publishing",
        "warehouse", "lineage", "assets", "metrics", "retry", "failures", "deadline", "replies", "parts",
        "sharing",
    ),
    ("triggers",),
    ("operators", "transfers", "sensors"),
)  # fmt: skip
#: Beside the building: they may use any floor, and no floor may use them.
BESIDE = ("demo", "cli", "__main__", "dlt")
#: The sample API is for people without the rest, so it stands alone.
ALONE = "testing"

HEAVY = {"dlt", "pyarrow", "duckdb", "httpx", "openlineage", "pandas", "numpy", "requests", "urllib3"}
NOT_ON_FLOOR_0 = {"airflow", "socket", "http", "tempfile", "sqlite3"} | HEAVY
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
    if "example_dags" not in path.parts
}

#: What users import in the files that Airflow parses again and again.
DAG_MODULES = [
    name
    for name in (
        "hooks.sela",
        "operators.leads",
        "operators.parts",
        "transfers.leads_to_sql",
        "sensors.leads",
        "triggers.leads",
        "retry",
    )
    if name in MODULES
]


def imports(module: str) -> Iterator[str]:
    """Full names of the modules that a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        yield from imported(node)


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            yield name if name.removeprefix(f"{PACKAGE}.") in MODULES else str(node.module)


def imports_at_the_top(module: str) -> Iterator[str]:
    """Those that importing the module runs, ours without the package's name; no type hints."""
    for node in ast.parse(MODULES[module].read_text()).body:
        yield from (name.removeprefix(f"{PACKAGE}.") for name in imported(node))


def imports_of_ours(module: str) -> set[str]:
    """Those of our own modules, without the package's name."""
    names = {name.removeprefix(f"{PACKAGE}.") for name in imports(module) if name.startswith(f"{PACKAGE}.")}
    return names & MODULES.keys()


def room(module: str) -> str:
    return module.partition(".")[0]


def floor(module: str) -> int | None:
    """Number of a module's floor, None for a module beside them; a KeyError where nobody has said."""
    if room(module) in (*BESIDE, ALONE):
        return None
    return {name: number for number, names in enumerate(FLOORS) for name in names}[room(module)]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_floor(module: str) -> None:
    floor(module)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward_only(module: str) -> None:
    here = floor(module)
    for other in imports_of_ours(module):
        there = floor(other)
        if room(module) == ALONE:
            assert room(other) == ALONE, f"{module} imports {other}"
        elif here is not None:
            assert there is not None, f"{module} imports {other}, which stands beside the floors"
            assert there <= here, f"{module} on floor {here} imports {other} on floor {there}"


def test_no_import_goes_in_a_circle() -> None:
    """Type hints included: a circle of types is a circle of ideas."""
    graph = {module: imports_of_ours(module) - {module} for module in MODULES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", [module for module in MODULES if floor(module) == 0])
def test_floor_0_knows_neither_airflow_nor_the_network(module: str) -> None:
    assert {name.partition(".")[0] for name in imports(module)} & NOT_ON_FLOOR_0 == set()


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_longer_than_300_lines(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 300


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_a_drawer_for_anything(module: str) -> None:
    assert not set(module.split(".")) & FORBIDDEN_NAMES


@pytest.mark.parametrize("module", DAG_MODULES)
def test_what_a_dag_file_imports_reaches_no_heavy_library(module: str) -> None:
    """Those are imported inside the function that needs them, or in a module that is."""
    reached, waiting = set[str](), {module}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= set(imports_at_the_top(name)) & MODULES.keys() - reached
        assert {found.partition(".")[0] for found in imports_at_the_top(name)} & HEAVY == set(), name
    assert len(reached) > 1


def run(program: str) -> str:
    """What a program prints last, in a Python of its own."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_an_import_costs_dag_parsing_nothing_heavy() -> None:
    """Beyond Airflow's own base classes, which import some of them in some versions."""
    written = [PACKAGE, *(f"{PACKAGE}.{name}" for name in DAG_MODULES)]
    program = f"""
import importlib, sys
import airflow.providers.common.compat.sdk as sdk
sdk.BaseHook, sdk.BaseOperator, sdk.BaseSensorOperator
before = set(sys.modules)
for name in {written!r}:
    importlib.import_module(name)
print(sorted({HEAVY!r} & {{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
    assert run(program) == "[]"


def test_importing_the_package_imports_nothing_of_ours_nor_of_others() -> None:
    """Airflow imports it at every start, for every command."""
    program = f"""
import sys
before = set(sys.modules)
import {PACKAGE}
names = {{name.partition(".")[0] for name in set(sys.modules) - before}}
ours = [name for name in sys.modules if name.startswith("{PACKAGE}.")]
print(sorted(names - sys.stdlib_module_names), ours)
"""
    assert run(program) == f"['{PACKAGE}'] []"


def test_describing_the_provider_imports_no_airflow_and_no_http_library() -> None:
    program = f"""
import sys
from {PACKAGE} import get_provider_info
get_provider_info()
print(sorted({HEAVY | {"airflow", "pendulum", "tenacity"}!r} & set(sys.modules)))
"""
    assert run(program) == "[]"
