"""The sample API next to a real Django REST Framework application with the same leads."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any

from airflow_provider_sela.testing import SelaApi
from tests.testing.client import Answer, ask

COMPARED_HEADERS = ("content-type", "content-length", "www-authenticate", "allow", "location", "retry-after")


@dataclass
class Pair:
    """Both servers with the same leads, and one kept connection to each."""

    api: SelaApi
    drf: http.client.HTTPConnection
    ours: http.client.HTTPConnection
    drf_url: str

    def ask(self, target: str, **how: Any) -> tuple[Answer, Answer]:
        """Return DRF's answer and ours, with DRF's base URL replaced by ours."""
        expected, got = ask(self.drf, target, **how), ask(self.ours, target, **how)
        assert len(self.api.url) == len(self.drf_url)
        expected.body = expected.body.replace(self.drf_url.encode(), self.api.url.encode())
        return expected, got


def comparable(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Leave out the text of HTML pages: it is Django's own, and nobody reads it."""
    headers = {name: answer.headers[name] for name in COMPARED_HEADERS if name in answer.headers}
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return answer.status, headers, answer.body
    headers.pop("content-length", None)
    return answer.status, headers, b""
