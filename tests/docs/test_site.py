"""The site builds, its links hold, and it asks nobody else for anything."""

from __future__ import annotations

import re
import subprocess
import sys
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
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


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
