"""The site builds, its links hold, and it asks nobody else for anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import REPOSITORY
from tests.docs.pages import PAGES, prose

#: Whom a page may send a reader to.
HOSTS = {"airflow.apache.org", "dlthub.com", "trysela.com", "squidfunk.github.io"}
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Addresses(HTMLParser):
    """Links that a reader may follow, and what a browser fetches without being asked."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.links.add(str(values["href"]))
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.fetched.add(str(values.get("href")))
        elif values.get("src"):
            self.fetched.add(str(values["src"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as can be: a link or an anchor that leads nowhere is an error."""
    pytest.importorskip("mkdocs", reason="uv sync --group docs")
    folder = tmp_path_factory.mktemp("site")
    status, said = build(REPOSITORY / "mkdocs.yml", folder)
    assert status == 0, said
    return folder


def build(configuration: Path, folder: Path) -> tuple[int, str]:
    """What mkdocs ends with, and says. With ``--quiet`` it would count no warning."""
    options = ["--strict", "--config-file", str(configuration), "--site-dir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", *options],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def addresses(site: Path) -> Addresses:
    """All of the site's."""
    found = Addresses()
    for page in site.rglob("*.html"):
        found.feed(page.read_text())
    return found


def host(address: str) -> str | None:
    return urlsplit(address).hostname


def test_every_page_and_every_file_that_a_page_links_to_is_on_the_site(site: Path) -> None:
    for page in PAGES[1:]:
        name = page.relative_to(REPOSITORY / "docs").with_suffix("")
        assert (site / ("" if name.name == "index" else name) / "index.html").is_file(), page
    assert "SelaLeadSensor(" in (
        site / "source/example_dags/sela_wait_for_lead.py/index.html"
    ).read_text().replace("</span>", "").replace('<span class="n">', "").replace('<span class="p">', "")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("      - Any other database: engines/other.md\n", ""),
        ("engines/other.md", "engines/generic.md"),
        ("Reference: reference.md", "Reference: reference.md#selahook"),
    ],
    ids=["page without a place", "place without a page", "place that is no page"],
)
def test_a_mistake_in_the_navigation_stops_the_build(line: str, instead: str, tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="uv sync --group docs")
    text = (REPOSITORY / "mkdocs.yml").read_text()
    assert line in text
    # Beside the right one, because its paths are told from where it lies.
    with tempfile.NamedTemporaryFile("w", suffix=".yml", dir=REPOSITORY, prefix=".mkdocs-") as wrong:
        wrong.write(text.replace(line, instead))
        wrong.flush()
        status, said = build(Path(wrong.name), tmp_path)
    assert status != 0
    assert "strict mode" in said


def test_every_example_has_a_page_and_a_link(site: Path) -> None:
    linked = set(_LINK.findall((REPOSITORY / "docs" / "examples.md").read_text()))
    for example in sorted((REPOSITORY / "example_dags").glob("*.py")):
        assert f"../example_dags/{example.name}" in linked
        assert (site / "source" / "example_dags" / example.name / "index.html").is_file()


def test_a_search_finds_explanations_and_no_source_files(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {"examples/", "failures/", "reference/", "testing/", "source/CHANGELOG/"} <= places
    assert not [place for place in places if place.endswith((".py/", ".yml/", ".toml/", "run/"))]


def test_the_reference_has_a_place_for_every_class_and_its_methods(site: Path) -> None:
    page = (site / "reference" / "index.html").read_text()
    for name in ("selahook", "selaleadstosqloperator", "selaleadsensor", "selaleadseventtrigger", "selaapi"):
        assert f'id="{name}"' in page
    for method in ("iter_leads", "snapshot", "afind_leads"):
        assert f"SelaHook.{method}" in page


def test_what_builds_the_site_is_not_on_it(site: Path) -> None:
    assert [path.name for path in (site / "site").iterdir()] == ["site.css"]


def test_a_browser_fetches_nothing_from_anybody_else(addresses: Addresses) -> None:
    assert addresses.fetched
    assert {host(address) for address in addresses.fetched} == {None}


def test_links_lead_to_few_others(addresses: Addresses) -> None:
    assert {host(address) for address in addresses.links} - {None, "127.0.0.1"} <= HOSTS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_hold_where_the_repository_is_read_as_it_is(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if host(link):
            assert host(link) in HOSTS, link
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in [
                slug(heading) for heading in re.findall(r"^#+ (.*)$", prose(target), re.MULTILINE)
            ], link


def slug(heading: str) -> str:
    """Anchor of a heading, as viewers of Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
