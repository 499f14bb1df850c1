"""The package as text: its modules, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = "airflow_provider_sela"
ROOT = Path(__file__).resolve().parent.parent.parent / PACKAGE

Sources = Mapping[str, str]


def sources(root: Path = ROOT) -> dict[str, str]:
    """The text of each module by its name; a package's own is that of its folder."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
        for path in sorted(root.rglob("*.py"))
        if "example_dags" not in path.parts
    }


SOURCES = sources()


def imports(text: str, modules: Sources = SOURCES) -> Iterator[str]:
    """Full names of the modules that a text imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(text)):
        yield from imported(node, modules)


def imported(node: ast.AST, modules: Sources = SOURCES) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            yield name if name.removeprefix(f"{PACKAGE}.") in modules else str(node.module)


def top(module: str) -> str:
    return module.partition(".")[0]
