"""The wheel in the environment of a leg of .ci/compat.py, as a user has it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_sela
from airflow_provider_sela.retry import SelaRetryPolicy
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
AIRFLOW = version("apache-airflow")
in_a_leg = pytest.mark.skipif("SELA_COMPAT_AIRFLOW" not in os.environ, reason="runs in .ci/run compat")


def row(airflow: str) -> dict[str, str]:
    """The row of an Airflow in the README's table."""
    table = re.search(r"^\| Airflow \|.*?(?=\n\n)", README, re.MULTILINE | re.DOTALL)
    assert table
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[0].splitlines()]
    [found] = [cells for cells in rows if airflow in re.findall(r"[\d.]+\w*", cells[0])]
    return dict(zip(head, found, strict=True))


def listed(*words: str) -> list[dict[str, Any]]:
    """What a command of Airflow lists."""
    command = [sys.executable, "-m", "airflow", *words, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[{") :])
    return found


def commands() -> set[str]:
    """Names of Airflow's commands."""
    from airflow.cli.cli_parser import ALL_COMMANDS_DICT

    return set(ALL_COMMANDS_DICT)


@in_a_leg
def test_the_tests_run_against_the_wheel_and_the_wanted_airflow() -> None:
    assert Path(airflow_provider_sela.__file__).is_relative_to(sysconfig.get_path("purelib"))
    assert os.environ["SELA_COMPAT_AIRFLOW"] == AIRFLOW


@in_a_leg
@pytest.mark.airflow
def test_airflow_lists_the_provider_and_its_connection_type() -> None:
    providers = listed("providers", "list")
    assert airflow_provider_sela.__version__ in [
        item["version"] for item in providers if item["package_name"] == "airflow-provider-sela"
    ]
    hooks = listed("providers", "hooks")
    [ours] = [item for item in hooks if item["connection_type"] == "sela"]
    assert "airflow_provider_sela.hooks.sela.SelaHook" in ours.values()


def test_what_this_airflow_can_do_is_what_the_readme_says() -> None:
    told = row(AIRFLOW)
    assert {
        "`SelaLeadsEventTrigger`": SelaLeadsEventTrigger.__base__.__name__ == "BaseEventTrigger",
        "`SelaRetryPolicy`": SelaRetryPolicy.__base__ is not object,
        "`airflow sela`": "sela" in commands(),
    } == {name: cell == "yes" for name, cell in told.items() if name.startswith("`")}
