"""The quick start, followed to the letter, gives what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.docs.pages import blocks

PAGE = REPOSITORY / "docs" / "index.md"
DATABASE = "/tmp/leads.duckdb"  # noqa: S108 (on the page)
pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Log of the run, and what the query prints."""
    folder = tmp_path_factory.mktemp("quick_start")
    (folder / "dags").mkdir()
    dag, query = (block.code for block in blocks(PAGE, "python"))
    (folder / "dags" / "leads.py").write_text(dag)
    database = str(folder / "leads.duckdb")
    with SelaApi(leads=250) as api:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
            "AIRFLOW_CONN_LEADS_DB": json.dumps({"conn_type": "duckdb", "host": database}),
            "COLUMNS": "400",
            "TZ": "UTC",
            "no_proxy": "*",
        }

        def call(*words: str) -> str:
            command = [sys.executable, *words]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout + done.stderr

        call("-m", "airflow", "db", "migrate")
        log = call("-m", "airflow", "dags", "test", "leads")
        yield log, call("-c", query.replace(DATABASE, database))


def shown(number: int) -> str:
    return [block.code for block in blocks(PAGE, "text")][number]


def test_the_log_is_the_one_that_the_page_shows(output: tuple[str, str]) -> None:
    unfolded = shown(0).replace("\n    ", " ")
    lines = [re.escape(line) for line in unfolded.splitlines()]
    for line in lines:
        timeless = re.sub(r"\d+\\\.\d+(?= |\\ |$)", r"[\\d.]+", line)
        assert re.search(timeless, output[0]), timeless


def test_the_rows_are_those_that_the_page_shows(output: tuple[str, str]) -> None:
    assert output[1].strip() == shown(1).strip()
