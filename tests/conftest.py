"""Airflow reads its home when it is imported, so the home is set before any test module is."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

_HOME = tempfile.TemporaryDirectory(prefix="sela-tests-")
REPOSITORY = Path(__file__).resolve().parent.parent

os.environ.update(
    AIRFLOW_HOME=_HOME.name,
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "example_dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES="airflow.* airflow_provider_sela.*",
    no_proxy="*",
)

# A shell starts what it puts into the background without Ctrl-C, and children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if TYPE_CHECKING:
    from airflow_provider_sela.hooks.sela import SelaHook
    from airflow_provider_sela.testing import SelaApi


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files first whose tests start an Airflow or need a server, the ones between the others.

    They take longest: at the end one of them would be waited for alone. Several Airflows at once take each
    other's time.
    """
    marks = ("airflow", "server")
    kinds: dict[Path, int] = {}
    for item in items:
        kind = next((each for each, name in enumerate(marks) if item.get_closest_marker(name)), len(marks))
        kinds[item.path] = min(kind, kinds.get(item.path, kind))
    places: dict[Path, float] = {}
    for kind in set(kinds.values()):
        files = [path for path, its in kinds.items() if its == kind]
        for place, path in enumerate(files):
            places[path] = (place + 0.5) / len(files) if kind < len(marks) else 1
    items.sort(key=lambda item: places[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Say how a worker ended that did not end by itself: xdist says no more than that.

    Drivers are native code, and a JVM that falls leaves a file beside the tests.
    """
    if not error:
        return
    worker = node.gateway._io.popen
    ended = worker.wait(timeout=10)
    print(f"\n{node.gateway.id}: exit status {ended}, a signal if below 0")
    for report in Path.cwd().glob(f"hs_err_pid{worker.pid}.log"):
        print("\n".join(report.read_text().splitlines()[:60]))


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A real Airflow metadata database for this test session."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def providers_manager() -> Any:
    """What Airflow knows of providers while it runs tasks; one for a whole process."""
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as Manager
    except ImportError:
        from airflow.providers_manager import ProvidersManager as Manager
    return Manager()


@pytest.fixture
def api() -> Iterator[SelaApi]:
    """A sample API with 250 leads, small pages and a small cap."""
    from airflow_provider_sela.testing import SelaApi

    with SelaApi(leads=250, page_size=20, max_page_size=100) as server:
        yield server


@pytest.fixture
def hook(api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[SelaHook]:
    """A hook on the sample API, over a real Airflow connection."""
    from airflow_provider_sela.hooks.sela import SelaHook

    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    sela = SelaHook()
    yield sela
    sela.close()
