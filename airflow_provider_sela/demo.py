"""``sela-demo``: the example DAG in a real Airflow, from a sample Sela API into a DuckDB file.

Everything lies in one folder, by default ``./sela_demo``; a second run finds the table of the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from airflow_provider_sela.testing import SelaApi

DAG_ID = "sela_leads_to_duckdb"
LEADS = 1000
_COLUMNS = "id, status, us_state, lead_source, modified_time, call_dnc, sms_dnc"


def main() -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="sela-demo", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("sela_demo"), help="default: ./sela_demo"
    )
    folder: Path = parser.parse_args().folder.resolve()
    (folder / "airflow").mkdir(parents=True, exist_ok=True)
    database, log = folder / "leads.duckdb", folder / "demo.log"
    with SelaApi(leads=LEADS) as api, log.open("w") as output:
        print(f"A sample Sela API with {LEADS} leads answers at {api.url}")
        environment = _environment(folder, api, database)
        for words in (["db", "migrate"], ["dags", "test", DAG_ID]):
            print(f"$ airflow {' '.join(words)}", flush=True)
            command = [sys.executable, "-m", "airflow", *words]
            status = subprocess.call(command, env=environment, stdout=output, stderr=output)  # noqa: S603
            if status:
                print(f"This failed; the whole log is in {log}:", *_tail(log), sep="\n")
                return status
    _show(database)
    print(f"\nTable: {database}\nLog:   {log}")
    return 0


def _environment(folder: Path, api: SelaApi, database: Path) -> Mapping[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(_example_dags()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
        "AIRFLOW_CONN_DUCKDB_DEFAULT": json.dumps({"conn_type": "duckdb", "host": str(database)}),
        "NO_PROXY": "127.0.0.1",
    }


def _example_dags() -> Path:
    """In a wheel the examples lie inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parent
    inside = package / "example_dags"
    return inside if inside.is_dir() else package.parent / "example_dags"


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-30:]


def _show(database: Path) -> None:
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        load = connection.sql("SELECT * FROM _sela_loads ORDER BY finished DESC LIMIT 1")
        print("\nThe load")
        for name, value in zip(load.columns, load.fetchall()[0], strict=True):
            print(f"  {name:<12} {value}")
        print("\nThe first leads")
        print(connection.sql(f"SELECT {_COLUMNS} FROM leads ORDER BY id LIMIT 5"))  # noqa: S608 (constant)


if __name__ == "__main__":
    sys.exit(main())
