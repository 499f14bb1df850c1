"""Where the machine allows only what FIPS names, as lenders and insurers run them, leads land all the same.

There Python has neither BLAKE2 nor MD5, but for what does not serve security and says so. No machine of ours
is such a one: the digests are taken away.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.sources import SOURCES

_APPROVED = {"sha256", "sha512"}
_LOADS = """
import hashlib, json, os, sys

def only_elsewhere(allowed):
    def make(*args, usedforsecurity=True, **options):
        if usedforsecurity:
            raise ValueError("[digital envelope routines] disabled for FIPS")
        return allowed(*args, **options)
    return make

for name in ("md5", "blake2b", "blake2s"):
    setattr(hashlib, name, only_elsewhere(getattr(hashlib, name)))

from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator

class WithReject(SelaApi):
    def select(self, filters):
        return [*super().select(filters), {"email": "a result without an id"}]

folder = sys.argv[1]
os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": folder + "/leads.sqlite"})
with WithReject(150) as api:
    os.environ["AIRFLOW_CONN_SELA_DEFAULT"] = json.dumps(api.connection)
    load = SelaLeadsToSqlOperator(task_id="land", conn_id="warehouse", table="leads")
    first, second = (load.execute({"run_id": run}) for run in ("first", "second"))
    file = SelaLeadsOperator(task_id="file", path=folder + "/leads.jsonl").execute({"run_id": "first"})
print(json.dumps([first["new"], second["unchanged"], second["rejected"], file["read"]]))
"""


def digests_of(source: str) -> set[str]:
    """What a module takes from hashlib."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "hashlib":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {node.attr} if node.value.id == "hashlib" else set()
    return found


def test_no_module_asks_for_a_digest_that_fips_does_not_name() -> None:
    asked = {module: digests_of(text) - _APPROVED for module, text in SOURCES.items()}
    assert len(asked) > 100
    assert {module: names for module, names in asked.items() if names} == {}


def test_a_planted_one_is_found() -> None:
    assert digests_of("from hashlib import blake2b, sha256") == {"blake2b", "sha256"}
    assert digests_of("import hashlib\nhashlib.md5(b'')") == {"md5"}


def test_leads_land_where_there_is_no_other(tmp_path: Path) -> None:
    done: Any = subprocess.run(
        [sys.executable, "-c", _LOADS, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [150, 150, 1, 150]
