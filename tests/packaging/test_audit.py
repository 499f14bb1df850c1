"""The look-up of known vulnerabilities, with a real ``pip-audit`` and a service that says what we want."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import REPOSITORY
from tests.support.faults import nobody

CANARY = "jinja2"


@contextmanager
def serving(vulnerable: Collection[str], broken: Collection[str] = ()) -> Iterator[str]:
    """A service of advisories that knows one for each of these packages, and fails for those."""

    class Osv(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            advisory = {
                "id": f"PYSEC-{name}",
                "affected": [
                    {
                        "package": {"name": name, "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
                    }
                ],
            }
            body = json.dumps({"vulns": [advisory]} if name in vulnerable else {}).encode()
            self.send_response(503 if name in broken else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()


def run(*arguments: str) -> tuple[int, str]:
    """What the step ends with, and says."""
    command = [sys.executable, ".ci/audit.py", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def audit(url: str, folder: Path) -> tuple[int, str]:
    """The same, of two packages."""
    requirements = folder / "requirements.txt"
    requirements.write_text("requests==2.32.0\npendulum==3.1.0\n")
    return run("--osv-url", url, "--requirement", str(requirements))


def test_a_dependency_with_a_known_vulnerability_is_named_with_its_cure(tmp_path: Path) -> None:
    with serving({CANARY, "requests"}) as url:
        status, said = audit(url, tmp_path)
    assert status == 1
    assert "requests 2.32.0: PYSEC-requests, mended in 9.9" in said
    assert "2 dependencies audited, 1 with known vulnerabilities" in said


def test_dependencies_without_one_pass(tmp_path: Path) -> None:
    with serving({CANARY}) as url:
        assert audit(url, tmp_path) == (0, "2 dependencies audited, 0 with known vulnerabilities\n")


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv finds the releases")
def test_drivers_of_every_extra_and_what_they_bring_are_audited() -> None:
    ours, brought, of_an_extra = "msgspec", CANARY, "duckdb"
    with serving({ours, brought, of_an_extra}) as url:
        status, said = run("--osv-url", url)
    assert status == 1
    assert set(re.findall(r"PYSEC-(\w+)", said)) == {ours, brought, of_an_extra}


@pytest.mark.parametrize("broken", [{"pendulum"}, {CANARY}])
def test_what_nobody_answered_for_does_not_count_as_audited(broken: set[str], tmp_path: Path) -> None:
    with serving({CANARY, "requests"}, broken) as url:
        status, said = audit(url, tmp_path)
    assert status == 2
    assert said.startswith("NOT AUDITED")


def test_a_service_that_knows_nothing_does_not_count_as_an_audit(tmp_path: Path) -> None:
    with serving(set()) as url:
        assert audit(url, tmp_path)[0] == 2


def test_without_the_service_it_is_said_that_nothing_was_audited(tmp_path: Path) -> None:
    with nobody() as place:
        status, said = audit(f"http://{place}/v1/query", tmp_path)
    assert status == 2
    assert said.startswith("NOT AUDITED")
