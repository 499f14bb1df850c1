"""What is published: built as for publishing, opened, and compared with the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from airflow_provider_sela import __version__
from tests.conftest import REPOSITORY

_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
pytestmark = pytest.mark.skipif(shutil.which("uv") is None, reason="uv builds the package")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = ["uv", "build", "--quiet", "--out-dir", str(folder), str(REPOSITORY)]
    subprocess.run(command, check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The wheel."""
    [found] = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def content(wheel: Path) -> dict[str, bytes]:
    """Files of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(content: dict[str, bytes]) -> Message:
    """What an index shows."""
    return Parser().parsestr(content[f"airflow_provider_sela-{__version__}.dist-info/METADATA"].decode())


def sources(folder: str) -> set[str]:
    """Files of the repository below a folder."""
    files = (path for path in (REPOSITORY / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(REPOSITORY)) for path in files if "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_the_examples_and_nothing_else(content: dict[str, bytes]) -> None:
    about = f"airflow_provider_sela-{__version__}.dist-info"
    files = {name for name in content if not name.startswith(about)}
    assert files == sources("airflow_provider_sela") | {
        f"airflow_provider_sela/{name}" for name in sources("example_dags")
    }
    assert "airflow_provider_sela/py.typed" in files
    assert {name.removeprefix(f"{about}/") for name in content if name.startswith(about)} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip
    assert content[f"{about}/licenses/LICENSE"] == (REPOSITORY / "LICENSE").read_bytes()


def test_the_wheel_runs_on_any_machine(wheel: Path) -> None:
    assert wheel.name == f"airflow_provider_sela-{__version__}-py3-none-any.whl"


def test_airflow_finds_the_provider_by_its_entry_point(content: dict[str, bytes]) -> None:
    told = content[f"airflow_provider_sela-{__version__}.dist-info/entry_points.txt"].decode()
    assert "[apache_airflow_provider]\nprovider_info = airflow_provider_sela:get_provider_info" in told
    assert "[console_scripts]\nsela-demo = airflow_provider_sela.demo:main" in told


def test_the_metadata_is_what_the_ecosystem_expects(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"]
    assert metadata["Maintainer"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    classifiers = set(metadata.get_all("Classifier", []))
    assert {
        "Framework :: Apache Airflow",
        "Framework :: Apache Airflow :: Provider",
        "Typing :: Typed",
    } <= classifiers
    assert set(metadata.get_all("Provides-Extra", [])) == PROJECT["optional-dependencies"].keys()


def test_an_index_leads_to_documentation_source_changelog_and_issues(metadata: Message) -> None:
    urls = dict(text.split(", ") for text in metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Documentation", "Source", "Changelog", "Issues", "Sela"}
    assert urls["Changelog"].startswith(urls["Source"])
    assert urls["Issues"].startswith(urls["Source"])


def test_links_of_the_readme_hold_where_there_is_no_checkout(metadata: Message) -> None:
    """Each file that the README leads to is led to in the repository; pictures as they are."""
    source = f"{PROJECT['urls']['Source']}/"
    here = _LINK.findall((REPOSITORY / "README.md").read_text())
    told = _LINK.findall(str(metadata.get_payload()))
    assert len(told) == len(here) > 20
    for (picture, there), (_, link) in zip(told, here, strict=True):
        place = link if ":" in link else f"{source}{'raw' if picture else 'blob'}/main/{link}"
        assert there == place


def test_every_supported_python_has_its_classifier_and_its_leg(metadata: Message) -> None:
    told = set(re.findall(r":: (3\.\d+)", " ".join(metadata.get_all("Classifier", []))))
    legs = set(re.findall(r'Leg\("[\w.]+", "(3\.\d+)"', (REPOSITORY / ".ci" / "compat.py").read_text()))
    assert told == legs


def test_an_index_takes_both_and_draws_the_description(dist: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "twine",
        "check",
        "--strict",
        *map(str, dist.glob("airflow_provider_sela*")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_source_distribution_can_be_tested(dist: Path) -> None:
    [archive] = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert (
        sources("airflow_provider_sela") | sources("tests") | sources("docs") | sources("example_dags")
        <= held
    )
    assert {"pyproject.toml", "LICENSE", "CHANGELOG.md", "README.md", "mkdocs.yml", ".ci/run"} <= held
    assert not [name for name in held if name.endswith((".pyc", "uv.lock"))]


def test_the_version_stands_in_one_place() -> None:
    assert "version" in PROJECT["dynamic"]
    files = [REPOSITORY / name for folder in ("airflow_provider_sela", "docs") for name in sources(folder)]
    stated = [
        path for path in files if path.suffix in (".py", ".md") and f'"{__version__}"' in path.read_text()
    ]
    assert stated == [REPOSITORY / "airflow_provider_sela" / "__init__.py"]


def test_the_changelog_has_a_section_for_what_comes_and_for_each_release() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert sections[0] == "Unreleased" or sections[0].startswith(f"{__version__} ")
    for section in sections:
        assert re.fullmatch(r"Unreleased|\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\)", section)
        entries = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
        assert re.search(r"^- \S", entries, re.MULTILINE), section


def test_the_package_has_no_module_that_python_cannot_import_by_name(content: dict[str, bytes]) -> None:
    folders = {
        str(Path(name).parent) for name in content if name.endswith(".py") and "example_dags" not in name
    }
    assert all(f"{folder}/__init__.py" in content for folder in folders)
