"""One wheel for every supported Airflow: installs it into each and runs the real thing there.

``.ci/run compat`` runs all legs, ``.ci/run compat 3.3.2`` one, ``.ci/run compat each`` those that
``.ci/run`` runs, on another Airflow than all tests run on. Each leg is an environment of its own, made
anew, with the wheel and nothing of the checkout but its tests. A leg that does not block is reported, and
fails nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parent.parent
#: Releases after this day are not seen, so that none of them can break what was right yesterday.
RELEASED_BEFORE = "2026-11-20"
AT_ONCE = 2
TOOLS = ("hypothesis", "jsonschema", "pytest>=8", "pytest-asyncio>=0.24")

#: Discovery and form, the way to a connection.
INSTALLED = ("tests/compat", "tests/test_connections.py", "tests/hooks/test_provider.py")
#: Commands, the example DAGs, the sensor in each mode, the triggers.
TESTS = (
    "tests/cli/test_airflow_command.py",
    "tests/examples",
    "tests/sensors/test_outcomes.py",
    "tests/triggers/test_lead_trigger.py",
    "tests/triggers/test_events_trigger.py",
)
#: What shows whether the lowest versions of HTTP libraries, databases and file formats do.
LOWEST_TESTS = (
    "tests/hooks",
    "tests/http",
    "tests/storage/test_formats.py",
    "tests/warehouse/test_merge.py",
)


@dataclass(frozen=True)
class Leg:
    """An Airflow on a Python.

    :param pins: what an install without constraints needs before a task runs.
    :param blocks: whether a failure fails the whole.
    :param each: whether ``.ci/run`` runs it with each change.
    :param lowest: with the lowest versions that our metadata allows, and the tests that depend on them.
    :param demo: whether ``sela-demo`` runs, too, before anything but the wheel and its Airflow is installed.
    """

    airflow: str
    python: str
    pins: tuple[str, ...] = ()
    blocks: bool = True
    each: bool = True
    lowest: bool = False
    demo: bool = False

    @property
    def name(self) -> str:
        return "lowest" if self.lowest else self.airflow


#: The slow ones first, so that none is left alone at the end.
LEGS = (
    Leg("3.1.8", "3.13"),
    Leg("2.11.2", "3.12", demo=True),
    Leg("2.11.1", "3.11", lowest=True),
    # Between the one before and the one that all tests run on.
    Leg("3.2.2", "3.12", ("fastapi<0.137", "svcs<26"), each=False),
    Leg("3.3.2", "3.13", each=False, demo=True),
    Leg("3.0.6", "3.12", ("fastapi<0.117", "pyjwt<2.11"), blocks=False, each=False),
    Leg("3.4.0b2", "3.13", blocks=False, each=False),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a leg; ``error`` is empty where all is well."""

    leg: Leg
    passed: int
    skipped: int
    seconds: float
    error: str


class LegFolder:
    """The folder in which a leg runs: environment, tests, Airflow's home, log."""

    def __init__(self, leg: Leg, folder: Path, wheel: Path) -> None:
        self.leg, self.wheel = leg, wheel
        self.folder = folder / leg.name
        self.python = self.folder / "venv" / "bin" / "python"
        self.report = self.folder / "report.xml"
        self.deprecations = self.folder / "deprecations.txt"
        self.log = self.folder / "log.txt"
        self.folder.mkdir()

    def call(self, *words: str | Path, environment: dict[str, str] | None = None) -> None:
        """Run a command in the folder.

        :raises subprocess.CalledProcessError: it failed; its output is in the log.
        """
        with self.log.open("a") as log:
            print("$", *words, file=log, flush=True)
            subprocess.run(words, cwd=self.folder, env=environment, stdout=log, stderr=log, check=True)

    def install(self) -> None:
        """Make the environment as a user does: the wheel, and an Airflow beside it."""
        pip = ("uv", "pip", "install", "--quiet", "--python", self.python, "--exclude-newer", RELEASED_BEFORE)
        self.call("uv", "venv", "--quiet", "--python", self.leg.python, "venv")
        if self.leg.lowest:
            # Lowest are the direct requirements, so they are given as such and the wheel without them.
            self.call(
                *pip,
                "--resolution",
                "lowest-direct",
                "--all-extras",
                "--requirements",
                REPOSITORY / "pyproject.toml",
            )
            self.call(*pip, "--no-deps", self.wheel)
            self.call(*pip, *TOOLS, "cryptography", "psycopg[binary]")
        else:
            early = ("--prerelease", "allow") if "b" in self.leg.airflow else ()
            airflow = (f"{self.wheel}[duckdb]", f"apache-airflow=={self.leg.airflow}", *self.leg.pins)
            self.call(*pip, *early, *airflow)
            if self.leg.demo:
                self.call(self.python.with_name("sela-demo"), self.folder / "demo")
            self.call(*pip, *early, *airflow, *TOOLS)

    def test(self) -> None:
        """Run the tests, with every deprecation warning that our code causes written down."""
        for name in ("tests", "example_dags", "docs"):
            shutil.copytree(
                REPOSITORY / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(REPOSITORY / name, self.folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        # A leg has no servers of its own: what needs one is skipped there, and fails nothing.
        environment.pop("CI", None)
        environment |= {
            "PYTHONPATH": str(self.folder / "tests" / "compat" / "recording"),
            "SELA_COMPAT_AIRFLOW": self.leg.airflow,
            "SELA_COMPAT_DEPRECATIONS": str(self.deprecations),
        }
        paths = (*INSTALLED, *(LOWEST_TESTS if self.leg.lowest else TESTS))
        pytest = ("pytest", "-q", "-W", "ignore", "-o", "addopts=-ra", f"--junitxml={self.report}")
        # The tests beside it have time-outs, too, but a leg that gets next to no time runs into its own.
        self.call("nice", "-n", "3", self.python, "-m", *pytest, *paths, environment=environment)

    def outcome(self) -> Outcome:
        """Install, test, and count."""
        started, error = time.monotonic(), ""
        try:
            self.install()
            self.test()
        except subprocess.CalledProcessError as failure:
            error = f"{Path(failure.cmd[0]).name} ended with {failure.returncode}"
        passed = skipped = 0
        if self.report.exists():
            suite = ElementTree.parse(self.report).getroot()[0]
            count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
            skipped = count["skipped"]
            passed = count["tests"] - count["failures"] - count["errors"] - skipped
        if self.deprecations.exists():
            error = error or "deprecated names are used"
            with self.log.open("a") as log:
                print(
                    "Deprecation warnings that our code causes:",
                    self.deprecations.read_text(),
                    sep="\n",
                    file=log,
                )
        return Outcome(self.leg, passed, skipped, time.monotonic() - started, error)


def main(names: list[str]) -> int:
    """Run legs, print the log of each that failed, and a table of all; returns the exit status."""
    if names == ["each"]:
        names = [leg.name for leg in LEGS if leg.each]
    legs = [leg for leg in LEGS if not names or leg.name in names]
    if len(legs) < len(names):
        sys.exit(f"legs are {', '.join(leg.name for leg in LEGS)}; each runs those of each change")
    with tempfile.TemporaryDirectory(prefix="sela-compat-") as name:
        folder = Path(name)
        subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", folder, REPOSITORY], check=True)
        [wheel] = folder.glob("*.whl")
        folders = [LegFolder(leg, folder, wheel) for leg in legs]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(LegFolder.outcome, folders))
        for made, outcome in zip(folders, outcomes, strict=True):
            if outcome.error:
                print(f"\n-- {outcome.leg.name}: {outcome.error}\n{made.log.read_text()[-12_000:]}")
    print(f"\n{'leg':<8} {'Airflow':<8} {'Python':<7} {'passed':>6} {'skipped':>7} {'seconds':>7}  outcome")
    for outcome in outcomes:
        leg = outcome.leg
        verdict = "ok" if not outcome.error else outcome.error + ("" if leg.blocks else " (does not block)")
        print(
            f"{leg.name:<8} {leg.airflow:<8} {leg.python:<7} {outcome.passed:>6} {outcome.skipped:>7} "
            f"{outcome.seconds:>7.0f}  {verdict}"
        )
    return int(any(outcome.error and outcome.leg.blocks for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
