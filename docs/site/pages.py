"""Makes the pages under docs/, which are written for any viewer of Markdown, into a site.

A link that leaves docs/, such as ``../example_dags/sela_wait_for_lead.py``, works where the repository is at
hand. On the site it leads to a page that shows that file. See mkdocs.yml.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?\)")
#: The page of a source file. Code has many words, so the site's search would give it before any explanation.
_SHOWN = """\
---
search:
  exclude: true
---

# {target}

````{language}
{content}````
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file beside docs/ that a page links to, and for those that these link to."""
    waiting = [(_place(file), file.content_string) for file in files.documentation_pages()]
    while waiting:
        place, text = waiting.pop()
        for target in _targets(place, text):
            if (
                target.parts[0] == "docs"
                or not (REPOSITORY / target).is_file()
                or _uri(target) in files.src_uris
            ):
                continue
            content = (REPOSITORY / target).read_text()
            if target.suffix == ".md":
                waiting.append((target, content))
            else:
                content = _SHOWN.format(target=target, language=target.suffix[1:] or "text", content=content)
            shown = File.generated(config, _uri(target), content=content, inclusion=InclusionLevel.NOT_IN_NAV)
            files.append(shown)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages."""
    place = _place(page.file)

    def link(found: re.Match[str]) -> str:
        target = _resolve(place, found[2])
        if _uri(target) not in files.src_uris:
            return found[0]
        path = os.path.relpath(_uri(target), PurePosixPath(page.file.src_uri).parent)
        return f"{found[1]}{path}{found[3] or ''})"

    return _LINK.sub(link, markdown)


def _targets(place: PurePosixPath, text: str) -> Iterator[PurePosixPath]:
    for found in _LINK.finditer(text):
        yield _resolve(place, found[2])


def _resolve(place: PurePosixPath, link: str) -> PurePosixPath:
    return PurePosixPath(os.path.normpath(place.parent / link))


def _place(file: File) -> PurePosixPath:
    """Where a page's text lies in the repository."""
    uri = PurePosixPath(file.src_uri)
    if uri.parts[0] != "source":
        return "docs" / uri
    shown = uri.relative_to("source")
    return shown if (REPOSITORY / shown).exists() else shown.with_suffix("")


def _uri(target: PurePosixPath) -> str:
    """Where the page that shows a file of the repository lies below docs/."""
    if target.parts[0] == "docs":
        return str(target.relative_to("docs"))
    return f"source/{target}" if target.suffix == ".md" else f"source/{target}.md"
