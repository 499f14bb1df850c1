"""The README and the quick start, followed to the letter, give what they show."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.docs.pages import blocks

README, PAGE = REPOSITORY / "README.md", REPOSITORY / "docs" / "index.md"
DATABASE = "/tmp/leads.duckdb"  # noqa: S108 (on both pages)
pytestmark = pytest.mark.airflow


class Reader:
    """Somebody who does what a page says, with an Airflow of their own and a sample API for Sela."""

    def __init__(self, folder: Path, api: SelaApi) -> None:
        self.folder, self.database = folder, str(folder / "leads.duckdb")
        (folder / "dags").mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # Asked before the connection that the page adds, which leads to the real Sela.
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
            "COLUMNS": "400",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "SELA_TOKEN": api.token,
            "TZ": "UTC",
            "no_proxy": "*",
        }

    def call(self, *words: str) -> str:
        """Run a command; gives what it writes."""
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def follow(self, page: Path) -> str:
        """Copy the page's DAG and paste its lines for Airflow; gives the log of its run."""
        dag = next(blocks(page, "python")).code
        (self.folder / "dags" / "leads.py").write_text(dag)
        lines = [line for block in blocks(page, "sh") for line in block.code.splitlines()]
        wanted = [line for line in lines if line.startswith("airflow ") and "\\" not in line]
        assert wanted[-1] == "airflow dags test leads"
        return self.call("bash", "-ec", "\n".join(wanted).replace(DATABASE, self.database))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with SelaApi(leads=250) as api:
        yield Reader(tmp_path, api)


def shown(number: int) -> str:
    return [block.code for block in blocks(PAGE, "text")][number]


def test_the_lines_of_the_readme_land_the_leads(reader: Reader) -> None:
    reader.call("airflow", "db", "migrate")
    assert "read=250 new=250" in reader.follow(README)


def test_the_quick_start_logs_and_shows_what_it_says(reader: Reader) -> None:
    log = reader.follow(PAGE)
    for line in shown(0).replace("\n    ", " ").splitlines():
        timeless = re.sub(r"\d+\\\.\d+(?= |\\ |$)", r"[\\d.]+", re.escape(line))
        assert re.search(timeless, log), timeless
    _, query = blocks(PAGE, "python")
    assert (
        reader.call(sys.executable, "-c", query.code.replace(DATABASE, reader.database)).strip()
        == shown(1).strip()
    )
