"""Known vulnerabilities of what an install with every extra brings: ``.ci/run audit``.

Advisories are those of the day, so that a dependency can fail this that passed it yesterday (status 1). Where
they cannot be reached, nothing was audited: that is said, with status 2, and ``.ci/run`` goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
OSV = "https://api.osv.dev/v1/query"
#: It has had advisories since 2014 (CVE-2014-0012). A service that knows none of them knows nothing.
CANARY = "jinja2==2.4.1"
VULNERABLE, NOT_AUDITED = 1, 2


def pinned() -> str:
    """The newest release of every dependency, direct or not, with every extra."""
    command = ["uv", "export", "--quiet", "--no-dev", "--all-extras", "--no-emit-project", "--no-hashes"]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout


def audit(requirements: str, osv_url: str) -> list[dict[str, Any]] | None:
    """The audited dependencies, with their ``vulns``; None where nobody answered for one of them."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", file.name, "--no-deps", "--disable-pip",
            "--vulnerability-service", "osv", "--osv-url", osv_url,
            "--format", "json", "--progress-spinner", "off",
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return None
    return dependencies if all("vulns" in dependency for dependency in dependencies) else None


def main() -> int:
    """Audit and tell."""
    parser = argparse.ArgumentParser(description="Look up known vulnerabilities of all dependencies.")
    parser.add_argument("--osv-url", default=OSV, help="%(default)s")
    parser.add_argument("--requirement", type=Path, help="pinned requirements; default: with every extra")
    options = parser.parse_args()
    found, canary = None, audit(CANARY, options.osv_url)
    if canary and canary[0]["vulns"]:
        requirements = options.requirement.read_text() if options.requirement else pinned()
        found = audit(requirements, options.osv_url)
    if found is None:
        print(f"NOT AUDITED: no advisories from {options.osv_url}, which has to know those of {CANARY}")
        return NOT_AUDITED
    for dependency in found:
        for advisory in dependency["vulns"]:
            mended = ", ".join(advisory["fix_versions"]) or "no release yet"
            print(f"{dependency['name']} {dependency['version']}: {advisory['id']}, mended in {mended}")
    vulnerable = sum(bool(dependency["vulns"]) for dependency in found)
    print(f"{len(found)} dependencies audited, {vulnerable} with known vulnerabilities")
    return VULNERABLE if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
