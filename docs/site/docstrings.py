"""Lets docstrings, written in reStructuredText as Airflow's are, read well as Markdown; see mkdocs.yml."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:class|meth|func|mod|attr|data|exc):`[~.]?(?:[^`<]*\.)?([^`.<]+)`")
_TITLED_ROLE = re.compile(r":(?:class|meth|func|mod|attr|data|exc):`([^`<]+?)\s*<[^`]*>`")
_TABLE = re.compile(r"^(=+(?: +=+)+)\n(.*?)\n\1\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)


class Readable(Extension):
    """Rewrites roles, literal blocks and simple tables before a docstring is parsed."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """A docstring with Markdown in the place of reStructuredText."""
    text = _TITLED_ROLE.sub(r"``\1``", text)
    text = _ROLE.sub(r"``\1``", text)
    text = _TABLE.sub(_table, text)
    text = re.sub(r"^::$\n?", "", text, flags=re.MULTILINE)
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)


def _table(found: re.Match[str]) -> str:
    bounds = [(column.start(), column.end()) for column in re.finditer("=+", found[1])]
    last = bounds[-1][0]
    rows = [
        [*(line[start:end].strip() for start, end in bounds[:-1]), line[last:].strip()]
        for line in (found[2], *found[3].splitlines())
    ]
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(bounds), *body])
