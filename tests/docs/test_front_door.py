"""What a newcomer looks for first: which class, from where, and which file to change."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.pages import PAGES, blocks, prose, table
from tests.docs.public import CLASSES
from tests.support.sources import SOURCES, imports, top

PACKAGE = REPOSITORY / "airflow_provider_sela"
README, DOCS = REPOSITORY / "README.md", REPOSITORY / "docs"
CONTRIBUTING, REFERENCE = DOCS / "contributing.md", DOCS / "reference.md"
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\((docs/[^)#]+)")
#: What a page calls by its path, seen from the root of the repository.
_PATH = re.compile(r"(?:\.ci|airflow_provider_sela|benchmarks|docs|example_dags|tests)/[\w./*-]+")


def test_the_readme_says_of_every_class_where_it_is_imported_from() -> None:
    rows = table(README, "I want to", "use", "import from")
    told = {name: _CODE.findall(row["import from"])[0] for row in rows for name in _CODE.findall(row["use"])}
    for name, module in told.items():
        assert hasattr(import_module(module), name), name
    errors = {kind.__name__ for kind in CLASSES if issubclass(kind, Exception)}
    assert {kind.__name__ for kind in CLASSES} - errors <= told.keys()


def test_the_readme_leads_to_every_page() -> None:
    linked = {REPOSITORY / link for link in _LINK.findall(README.read_text())}
    assert set(PAGES) - {README} <= linked


def test_the_readme_s_commands_are_those_that_are_tested() -> None:
    [demo, tests] = [
        line.removeprefix("pip install uv && ")
        for block in blocks(README, "sh")
        for line in block.code.splitlines()
        if "uv run" in line
    ]
    assert demo == "uv run sela-demo"
    assert re.search(rf"^{tests} &&", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)


def test_the_reference_has_the_import_line_of_every_class() -> None:
    """Below the heading of the class, from a module whose name does not change."""
    sections = re.split(r"^### ", REFERENCE.read_text(), flags=re.MULTILINE)[1:]
    public = {kind.__name__ for kind in CLASSES} & {section.partition("\n")[0] for section in sections}
    assert len(public) >= len(CLASSES) - 1
    for section in sections:
        name = section.partition("\n")[0]
        if name in public:
            module = re.search(rf"^from ([\w.]+) import {name}$", section, re.MULTILINE)
            assert module, name
            assert f"::: {module[1]}.{name}\n" in section, name


def test_contributing_has_a_row_for_each_folder_of_the_package() -> None:
    rows = table(CONTRIBUTING, "folder", "belongs", "may import")
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {_CODE.findall(row["folder"])[0] for row in rows} == folders


def layers() -> tuple[str, ...]:
    """Those that the code is held to, from the bottom up."""
    tree = ast.parse((REPOSITORY / "tests" / "test_architecture.py").read_text())
    [found] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS"
    ]
    return tuple(found)


def test_contributing_names_the_layers_that_the_code_is_held_to() -> None:
    [told] = [block.code for block in blocks(CONTRIBUTING, "text")]
    assert tuple(told.splitlines()) == layers()


def test_a_folder_imports_no_more_than_contributing_says() -> None:
    """What is named, and what lies on a layer below that."""
    heights = {name: height for height, layer in enumerate(layers()) for name in re.findall(r"\w+", layer)}
    compared = 0
    for row in table(CONTRIBUTING, "folder", "belongs", "may import"):
        folder, named = _CODE.findall(row["folder"])[0], set(_CODE.findall(row["may import"]))
        if named:
            compared += 1
            highest = max(heights[name] for name in named)
            below = {name for name, height in heights.items() if height < highest}
            used = {
                top(name.removeprefix(f"{PACKAGE.name}."))
                for module, text in SOURCES.items()
                if top(module) == folder
                for name in imports(text)
                if name.startswith(f"{PACKAGE.name}.")
            }
            assert used - {folder} <= named | below, folder
    assert compared > 5


def test_a_folder_says_itself_what_contributing_says_that_it_may_import() -> None:
    compared = 0
    for row in table(CONTRIBUTING, "folder", "belongs", "may import"):
        folder = import_module(f"airflow_provider_sela.{_CODE.findall(row['folder'])[0]}")
        _, found, told = (folder.__doc__ or "").partition("May import: ")
        if found:
            compared += 1
            own = set(_CODE.findall(told.replace("``", "`")))
            assert own == set(_CODE.findall(row["may import"])), row["folder"]
    assert compared > 5


def test_what_contributing_says_where_to_look_is_there() -> None:
    rows = table(CONTRIBUTING, "I want to change", "look in", "and in")
    assert all(row["look in"] for row in rows)
    for row in rows:
        for path in _CODE.findall(row["look in"] + row["and in"]):
            assert (PACKAGE / path).exists() or (REPOSITORY / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_path_that_a_page_names_is_there(page: Path) -> None:
    for code in _CODE.findall(prose(page)):
        for path in _PATH.findall(code):
            assert list(REPOSITORY.glob(path.rstrip("."))), path
