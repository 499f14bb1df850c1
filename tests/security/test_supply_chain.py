"""What the package may do and what it is made of, from its syntax tree and from what is installed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.sources import SOURCES, imports

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

#: Calls that turn text or bytes into code, and modules whose loading does, with those who may and why.
CODE = {"eval", "exec", "compile", "__import__", "execfile"}
LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "yaml", "ctypes"}
SHELLS = {"subprocess", "os.system", "os.popen", "pty"}
ALLOWED = {
    "testing.store": {"marshal"},  # dumps leads to compare them, and loads nothing
    "demo.local_airflow": {"subprocess"},  # starts airflow, with constant arguments and no shell
}
PERMISSIVE = re.compile(
    r"Apache|BSD|MIT|ISC|PSF|Python Software Foundation|Mozilla Public License|MPL", re.IGNORECASE
)
#: Other licences, of drivers that a user chooses with an extra; this package does not bring them.
BY_CHOICE = {"psycopg2-binary": "LGPL", "mysqlclient": "GPL"}


def calls(module: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(SOURCES[module])):
        if isinstance(node, ast.Call):
            yield node


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_makes_code_of_data(module: str) -> None:
    allowed = ALLOWED.get(module, set[str]())
    called = {call.func.id for call in calls(module) if isinstance(call.func, ast.Name)}
    assert called & CODE == set()
    used = set(imports(SOURCES[module])) | {name.partition(".")[0] for name in imports(SOURCES[module])}
    used |= {ast.unparse(call.func) for call in calls(module)}
    assert (used & (LOADERS | SHELLS)) - allowed == set()
    assert not any(word.arg == "shell" for call in calls(module) for word in call.keywords)


@pytest.mark.parametrize("module", [name for name, used in ALLOWED.items() if "marshal" in used])
def test_what_may_be_marshalled_is_never_unmarshalled(module: str) -> None:
    used = {ast.unparse(call.func) for call in calls(module)}
    assert [name for name in used if name.startswith("marshal.")] == ["marshal.dumps"]


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_that_is_imported_by_name_is_one_of_ours(module: str) -> None:
    """So that no data can name code: the argument is a constant, or begins with the package's own name."""
    for call in calls(module):
        arguments = [ast.unparse(argument) for argument in [call.func, *call.args]]
        if "import_module" in arguments:
            named = arguments[arguments.index("import_module") + 1]
            assert named.startswith(("'airflow_provider_sela.", "f'{__package__}.")), named


@pytest.mark.parametrize("module", SOURCES)
def test_every_statement_that_is_put_together_says_why_that_is_safe(module: str) -> None:
    """Ruff's S608 looks for SQL made of text; where it is silenced, a reason must stand beside it."""
    for line in SOURCES[module].splitlines():
        if "noqa" in line and "S608" in line:
            assert re.search(r"S608 \(.+\)$", line), line


def requirement(text: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", text)
    assert found is not None
    return found[0].lower().replace("_", "-")


DECLARED = {requirement(text) for text in PROJECT["dependencies"]}
OPTIONAL = {requirement(text) for texts in EXTRAS.values() for text in texts} - {PROJECT["name"]}


#: It reads the metadata of all that is installed.
packages = cache(packages_distributions)


def distributions(module: str) -> Iterator[set[str]]:
    """For each import of a third party, the distributions that bring it."""
    known = packages()
    for name in imports(SOURCES[module]):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top != "airflow_provider_sela" and top in known:
            yield {found.lower().replace("_", "-") for found in known[top]}


@pytest.mark.parametrize("module", SOURCES)
def test_every_import_is_of_a_declared_dependency(module: str) -> None:
    """What comes along with another package may go away with its next version."""
    # Airflow's own: storage paths, dialects and the old form are built on them; and OpenLineage's provider is
    # built on its client. Who uses fixtures has pytest. Who has a connection to a database has its provider,
    # which is built on a driver.
    airflow_brings = {
        "fsspec", "flask-appbuilder", "flask-babel", "wtforms", "sqlalchemy", "openlineage-python", "pytest",
        "jaydebeapi", "jpype1", "mysqlclient", "psycopg", "psycopg2-binary",
    }  # fmt: skip
    for brought in distributions(module):
        assert brought & (DECLARED | OPTIONAL | airflow_brings) or any(
            name.startswith("apache-airflow") for name in brought
        ), brought


@pytest.mark.parametrize("name", sorted(DECLARED | OPTIONAL))
def test_every_dependency_has_a_licence_that_lets_everybody_use_it(name: str) -> None:
    try:
        metadata = distribution(name).metadata
    except ModuleNotFoundError:
        pytest.skip("not installed here")
    stated = metadata.json
    licence = " ".join(
        [str(stated.get("license_expression", "")), str(stated.get("license", ""))[:200]]
        + [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    )
    assert PERMISSIVE.search(licence) or BY_CHOICE.get(name, "?") in licence, licence


def test_the_linter_looks_for_insecure_code() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in settings["select"]
    assert not any(code.startswith("S") for code in settings.get("ignore", []))
    assert not any(
        Path(pattern).parts[0] == "airflow_provider_sela" for pattern in settings["per-file-ignores"]
    )
