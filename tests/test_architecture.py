"""The layers of the design, from the syntax trees: who may import whom, and what an import may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import PACKAGE, ROOT, SOURCES, Sources, imported, imports, top

TESTS = Path(__file__).resolve().parent

#: From the bottom up. Names on one line that a bar divides never import each other.
LAYERS = (
    "exceptions, metrics",
    "api",
    "snapshot, settings, privacy, assets, connections, retry",
    "http | storage",
    "reading | warehouse",
    "hooks",
    "triggers | operators, lineage",
    "transfers, sensors",
)
#: Beside the layers: they may use all, and none may use them.
DOORS = ("__init__", "__main__", "cli", "demo", "dlt")
#: The sample API is for people without the rest, so it stands alone.
ALONE = "testing"
#: No I/O, no Airflow: tested with values, and the same for threads and coroutines.
PURE = (
    "api", "snapshot", "exceptions", "privacy", "settings", "http.pacing", "storage.csv_lines",
    "http.environment", "triggers.newest", "triggers.cursor", "triggers.failure_limit",
    "triggers.list_watch", "triggers.jitter", "warehouse.dbt", "warehouse.dialect", "warehouse.metadata_sql",
    "storage.paths",
)  # fmt: skip

HEAVY = {"dlt", "pyarrow", "duckdb", "httpx", "openlineage", "pandas", "numpy", "requests", "urllib3"}
IMPURE = {"airflow", "socket", "http", "tempfile", "sqlite3"} | HEAVY
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
MOST_IN_THE_ROOT = 12

#: What users import in the files that Airflow parses again and again.
DAG_MODULES = (
    "hooks.sela",
    "operators.leads",
    "operators.parts",
    "transfers.leads_to_sql",
    "sensors.leads",
    "triggers.leads",
    "retry",
)
#: All of ours that a parse of such a file loads: what defines the classes and checks their parameters. What a
#: run alone needs (HTTP, leads, disks, tables, figures) is imported in the functions that run.
PARSED = """
api api.moments api.parameters api.privacy_rules api.request exceptions
hooks hooks.asynchronous hooks.form hooks.privacy_options hooks.sela
operators operators.base operators.field_changes operators.handed_over operators.leads operators.parts
operators.read_options retry sensors sensors.endings sensors.leads settings storage storage.paths
transfers transfers.leads_to_sql transfers.table_options
triggers triggers.events_trigger triggers.failure_limit triggers.jitter triggers.lead_trigger triggers.leads
triggers.wait_log warehouse warehouse.identifiers
"""
#: The same for what a triggerer imports before a trigger runs.
TRIGGERED = """
api api.parameters api.request exceptions triggers triggers.events_trigger triggers.failure_limit
triggers.jitter triggers.lead_trigger triggers.leads triggers.wait_log
"""
DAG_FILE = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.retry import SelaRetryPolicy
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger, SelaLeadTrigger
with DAG("parsed"):
    SelaHook(), SelaRetryPolicy(), SelaLeadsEventTrigger(), SelaLeadTrigger(external_id="7")
    SelaLeadsOperator(task_id="file", path="/data/leads.csv", email="{{ params.email }}")
    plan = SelaPlanPartsOperator(task_id="plan", path="/data/parts")
    read = SelaReadPartOperator.partial(task_id="read").expand(part=plan.output)
    SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads", parts=read.output)
    SelaLeadsToSqlOperator(task_id="new", conn_id="warehouse", table="leads", read="new", lookback="PT10M")
    SelaLeadSensor(task_id="wait", external_id="7", statuses=["CLOSED"], deferrable=True)
"""


def imports_at_the_top(module: str) -> Iterator[str]:
    """Those that importing the module runs, ours without the package's name; no type hints."""
    for node in ast.parse(SOURCES[module]).body:
        yield from (name.removeprefix(f"{PACKAGE}.") for name in imported(node))


def imports_of_ours(module: str, modules: Sources) -> set[str]:
    """Those of our own modules, without the package's name; type hints too."""
    names = imports(modules[module], modules)
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}.")}


def places() -> dict[str, tuple[int, int]]:
    """For each name of a layer: its height, and its place between the bars."""
    return {
        name: (height, place)
        for height, layer in enumerate(LAYERS)
        for place, names in enumerate(layer.split(" | "))
        for name in names.split(", ")
    }


def complaints(modules: Sources) -> list[str]:
    """What of a package's imports the layers do not allow."""
    where, found = places(), []
    for module in modules:
        here = where.get(top(module))
        if here is None and top(module) not in (*DOORS, ALONE):
            found.append(f"{module} is in no layer")
        for other in sorted(imports_of_ours(module, modules)):
            if top(other) == top(module):
                continue
            there = where.get(top(other))
            if top(module) == ALONE or top(other) == ALONE:
                allowed = top(module) in DOORS
            elif here is None:
                allowed = True
            else:
                allowed = there is not None and (
                    there[0] < here[0] or (there[0] == here[0] and there[1] == here[1])
                )
            if not allowed:
                found.append(f"{module} imports {other}")
    return found


def impurities(modules: Sources) -> list[str]:
    """Modules that should do no I/O and know no Airflow, with what they import of both."""
    return [
        f"{module} imports {found}"
        for module in modules
        if any(module == name or module.startswith(f"{name}.") for name in PURE)
        for found in sorted(set(imports(modules[module], modules)))
        if top(found) in IMPURE
    ]


def circle(modules: Sources) -> str:
    """A way from a module back to itself, type hints included; empty if there is none."""
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> str:
        if module in way:
            return " -> ".join([*way, module])
        if module in done or module not in modules:
            return ""
        others = sorted(imports_of_ours(module, modules) - {module})
        found = next(filter(None, (visit(other, (*way, module)) for other in others)), "")
        done.add(module)
        return found

    return next(filter(None, (visit(module, ()) for module in modules)), "")


def imports_of_tests(texts: Sources) -> list[str]:
    """Test files that other test files import from: what they share belongs into ``tests/support``."""
    return [
        f"{name} imports {found}"
        for name, text in texts.items()
        for found in imports(text, {})
        if found.startswith("tests.") and found.rpartition(".")[2].startswith("test_")
    ]


def test_imports_go_downward_only() -> None:
    assert complaints(SOURCES) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("api.planted", "from airflow_provider_sela.settings import Settings"),
        ("http.planted", "from airflow_provider_sela.storage.spool import Spool"),
        ("storage.planted", "from airflow_provider_sela.http.transport import Transport"),
        ("warehouse.planted", "def ask():\n    from airflow_provider_sela.hooks.sela import SelaHook"),
        ("triggers.planted", "from airflow_provider_sela.operators.base import SelaBaseOperator"),
        ("sensors.planted", "from airflow_provider_sela.cli import main"),
        ("testing.planted", "from airflow_provider_sela.api.request import origin"),
        ("reading.planted", "from airflow_provider_sela.testing import SelaApi"),
        ("planted", ""),
    ],
)
def test_a_planted_import_that_goes_elsewhere_is_found(module: str, text: str) -> None:
    assert len(complaints({**SOURCES, module: text})) == 1


def test_what_should_do_no_io_imports_neither_airflow_nor_the_network() -> None:
    assert impurities(SOURCES) == []


def test_who_says_that_it_does_no_io_is_held_to_it() -> None:
    for module, text in SOURCES.items():
        if top(module) != ALONE and "I/O" in (ast.get_docstring(ast.parse(text)) or ""):
            assert any(module == name or module.startswith(f"{name}.") for name in PURE), module


@pytest.mark.parametrize("module", PURE)
@pytest.mark.parametrize("text", ["import http.client", "def f():\n    from airflow.models import DAG"])
def test_planted_io_is_found(module: str, text: str) -> None:
    assert len(impurities({**SOURCES, f"{module}.planted": text})) == 1


def test_no_import_goes_in_a_circle() -> None:
    """Type hints included: a circle of types is a circle of ideas."""
    assert circle(SOURCES) == ""


def test_the_proof_is_listed_from_the_bottom_up() -> None:
    """What a newcomer reads first of it: each module imports only from those above it in the list."""
    listed = re.findall(r"^    (\w+)  ", SOURCES["snapshot"], re.MULTILINE)
    assert {f"snapshot.{name}" for name in listed} == {
        name for name in SOURCES if name.startswith("snapshot.")
    }
    for place, name in enumerate(listed):
        used = {
            top(other.partition(".")[2])
            for other in imports_of_ours(f"snapshot.{name}", SOURCES)
            if top(other) == "snapshot"
        }
        assert used <= set(listed[:place]), name


def test_a_planted_circle_is_found() -> None:
    planted = {
        "api.a": f"from {PACKAGE}.api.b import x",
        "api.b": f"def f():\n    from {PACKAGE}.api.a import y",
    }
    assert circle({**SOURCES, **planted}) == "api.a -> api.b -> api.a"


def test_no_test_file_imports_from_another() -> None:
    texts = {str(path.relative_to(TESTS)): path.read_text() for path in TESTS.rglob("*.py")}
    assert imports_of_tests(texts) == []
    planted = {"planted": "from tests.api.test_pages import page", "fine": "from tests.support import tls"}
    assert len(imports_of_tests(planted)) == 1


def test_a_newcomer_sees_few_modules_in_the_root() -> None:
    assert len(list(ROOT.glob("*.py"))) <= MOST_IN_THE_ROOT


def test_every_folder_says_what_belongs_in_it() -> None:
    for path in ROOT.rglob("__init__.py"):
        if "example_dags" not in path.parts:
            assert ast.get_docstring(ast.parse(path.read_text())), path


@pytest.mark.parametrize("layer", [name for name in places() if (ROOT / name).is_dir()])
def test_a_layers_folder_does_nothing_but_say_so(layer: str) -> None:
    """A package that imports its own modules is a circle: threads of the triggerer that import several of
    them at once would find it half made."""
    assert len(ast.parse((ROOT / layer / "__init__.py").read_text()).body) == 1


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_is_longer_than_300_lines(module: str) -> None:
    assert len(SOURCES[module].splitlines()) <= 300


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_has_a_name_that_fits_anything(module: str) -> None:
    assert not set(module.split(".")) & FORBIDDEN_NAMES


@pytest.mark.parametrize("module", DAG_MODULES)
def test_what_a_dag_file_imports_reaches_no_heavy_library(module: str) -> None:
    """Those are imported inside the function that needs them, or in a module that is."""
    reached, waiting = set[str](), {module}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= set(imports_at_the_top(name)) & SOURCES.keys() - reached
        assert {top(found) for found in imports_at_the_top(name)} & HEAVY == set(), name
    assert len(reached) > 1


def run(program: str) -> str:
    """What a program prints last, in a Python of its own."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip().splitlines()[-1]


def newly_imported(modules: list[str], wanted: set[str]) -> str:
    """Which libraries some imports load that Airflow's own base classes have not loaded."""
    return run(f"""
import importlib, sys
import airflow.providers.common.compat.sdk as sdk
sdk.BaseHook, sdk.BaseOperator, sdk.BaseSensorOperator
import airflow.triggers.base
before = set(sys.modules)
for name in {modules!r}:
    importlib.import_module(name)
print(sorted({wanted!r} & {{name.partition(".")[0] for name in set(sys.modules) - before}}))
""")


@pytest.mark.parametrize(
    ("program", "expected"),
    [(DAG_FILE, PARSED), (f"import {PACKAGE}.triggers.leads", TRIGGERED)],
    ids=["a DAG file", "a triggerer"],
)
def test_what_is_loaded_again_and_again_is_what_is_named_here(program: str, expected: str) -> None:
    """DAG files are parsed every few seconds, and each module of ours takes its part of the time: another one
    belongs into the list only if no task can run without it having been there before."""
    loaded = run(f"""
import sys
{program}
names = [name.removeprefix("{PACKAGE}.") for name in sys.modules if name.startswith("{PACKAGE}.")]
print(*sorted(names))
""")
    # Airflow may have asked the package for its connection's form, as it does at some times of its own.
    form = {"api", "api.parameters", "api.request", "exceptions", "hooks", "hooks.form", "settings"}
    assert {*loaded.split()} | form == {*expected.split()} | form


def test_an_import_costs_dag_parsing_nothing_heavy() -> None:
    written = [PACKAGE, *(f"{PACKAGE}.{name}" for name in DAG_MODULES)]
    assert newly_imported(written, HEAVY) == "[]"


def test_the_triggerer_loads_one_http_library_and_no_other() -> None:
    """What it imports stays in the memory of every triggerer."""
    program = f"""
import sys
for name in [name for name in sys.modules if name.partition(".")[0] in ("requests", "urllib3")]:
    del sys.modules[name]
import {PACKAGE}.triggers.polling, {PACKAGE}.triggers.watching
print([name for name in ("httpx", "requests", "urllib3") if name in sys.modules])
"""
    assert run(f"import airflow.providers.common.compat.sdk\n{program}") == "['httpx']"


def test_the_dlt_resource_loads_no_http_library_before_it_reads() -> None:
    assert newly_imported([f"{PACKAGE}.dlt"], {"requests", "httpx"}) == "[]"


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
