"""What an import of our classes adds to the parsing of a DAG file, beside those of another provider.

Usage: ``python -m benchmarks.import_time [--runs 15]``. Each run is a Python of its own that imports
Airflow's base classes first, then what a DAG file imports of one provider; the two take turns. Read the
CPU: the clock on the wall counts what else the machine does, too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

AIRFLOW = """
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, Param
from airflow.sdk import Asset, AssetWatcher
from airflow.sdk.definitions.retry_policy import RetryPolicy
from airflow.triggers.base import BaseEventTrigger, BaseTrigger
"""
PROVIDERS = {
    "sela": """
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.retry import SelaRetryPolicy
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger, SelaLeadTrigger
""",
    "http": """
from airflow.providers.http.hooks.http import HttpAsyncHook, HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.http.triggers.http import HttpEventTrigger, HttpSensorTrigger, HttpTrigger
""",
}
PROGRAM = """
import time
{airflow}
before = time.process_time(), time.perf_counter()
{provider}
print("COST", time.process_time() - before[0], time.perf_counter() - before[1])
"""


def cost(provider: str) -> tuple[float, float]:
    """Milliseconds of CPU and on the wall that the provider's imports take after Airflow's own."""
    program = PROGRAM.format(airflow=AIRFLOW, provider=PROVIDERS[provider])
    # Where it is not to be written, as in some containers, each run would compile every source anew.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603
    [line] = [line for line in done.stdout.splitlines() if line.startswith("COST ")]
    cpu, wall = (float(word) * 1000 for word in line.split()[1:])
    return cpu, wall


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs: int = parser.parse_args().runs
    for name in PROVIDERS:
        cost(name)  # Writes byte code and fills the disk's cache.
    costs = [{name: cost(name) for name in PROVIDERS} for _ in range(runs)]
    print(f"median of {runs} runs, milliseconds over Airflow's own imports (lowest to highest)")
    for name in PROVIDERS:
        cpu, wall = (sorted(run[name][which] for run in costs) for which in (0, 1))
        print(
            f"{name:<6} CPU {statistics.median(cpu):6.1f} ({cpu[0]:.1f} to {cpu[-1]:.1f})"
            f"   wall {statistics.median(wall):6.1f} ({wall[0]:.1f} to {wall[-1]:.1f})"
        )
    ratio = statistics.median(run["sela"][0] / run["http"][0] for run in costs)
    print(f"sela / http, CPU: {ratio:.2f}")


if __name__ == "__main__":
    main()
