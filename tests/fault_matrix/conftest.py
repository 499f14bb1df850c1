from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.testing import SelaApi
from tests.fault_matrix.broken import FAULTS, NEW, PHONE, TOKEN, BrokenApi, Occurrence
from tests.fault_matrix.clock import Clock, StillWaitingError
from tests.fault_matrix.surfaces import LEADS, SURFACES, Cell, Found, planted
from tests.support.connections import logged
from tests.support.databases import DuckDB

__all__ = ["logged"]

PRIVATE = (TOKEN, PHONE[1:], "planted")
STRANGERS = [planted(100_000 + number, phone_number="+12135550101") for number in range(5)]


@dataclass(frozen=True)
class Measured:
    """What came of a fault on a surface.

    :param outcome: see :mod:`.expected`.
    :param requests: requests that reached the server once the preparation was over.
    :param waited: seconds that were waited, on a clock that jumps.
    :param seconds: seconds that it took on the wall.
    :param said: the error's text.
    """

    outcome: str
    requests: int
    waited: float
    seconds: float
    said: str = ""


Measure = Callable[[str, str, bool], Measured]


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[SelaApi]:
    """Another server, which nobody should ever ask."""
    with SelaApi(leads=0) as server:
        yield server


@pytest.fixture
def measure(
    elsewhere: SelaApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[], str],
    record_property: Callable[[str, object], None],
) -> Measure:
    """Puts a fault on a surface, and tells what came of it; nothing private may be told meanwhile."""

    def measured(fault: str, surface: str, lasting: bool) -> Measured:
        clock, raised = Clock(looks=6), None
        here = Occurrence(FAULTS[fault], lasting, clock, elsewhere, tmp_path)
        leads = [planted(number) for number in range(50_000, 50_000 + LEADS)]
        with BrokenApi(here, [*leads, *STRANGERS]) as api, contextlib.ExitStack() as stack:
            cell = Cell(here, api, tmp_path)
            connect(cell, stack, monkeypatch)
            clock.install(monkeypatch)
            started = time.perf_counter()
            try:
                outcome = verdict(cell, SURFACES[surface](cell), logged())
            except StillWaitingError:
                outcome = "waits"
            except (SelaError, AirflowFailException) as error:
                raised = error
                outcome = name_of(error)
            seconds = time.perf_counter() - started
            here.over.set()
            monkeypatch.undo()
        assert elsewhere.requests == [], "another server was asked"
        assert here.struck or here.fault.always or here.fault.site or fault == "no fault"
        result = Measured(
            outcome,
            len(api.requests) - cell.counted_from,
            round(sum(clock.waited), 3),
            round(seconds, 3),
            "" if raised is None else str(raised).replace(api.url, "HOST"),
        )
        told = (logged() + chain(raised)).lower()
        assert [word for word in PRIVATE if word in told] == []
        record_property("cell", {"fault": fault, "surface": surface, "lasting": lasting, **asdict(result)})
        return result

    return measured


def connect(cell: Cell, stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the connections, and bring about a fault of the site itself."""
    here, url = cell.here, cell.api.url
    if here.fault.site is not None:
        site = stack.enter_context(contextlib.ExitStack())
        url = site.enter_context(here.fault.site(cell.api))
        if not here.lasting:
            here.clock.on_wait = site.close
    extra = {"timeout": 5, "max_attempts": 2, "page_size": 20, "concurrency": 1, **here.fault.extra}
    extra["verify"] = cell.api.bundle
    sela = {"conn_type": "sela", "host": url, "password": TOKEN, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(sela))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(DuckDB(cell.folder).connection))


def verdict(cell: Cell, got: Found, told: str) -> str:
    """Whether these are the leads that there are, with their content."""
    leads = cell.api.select({"phone_number": PHONE})
    wanted = [lead for lead in leads if lead["id"] == NEW] if NEW in cell.api.leads else leads
    truth = {lead["id"]: lead["email"] for lead in wanted if lead["phone_number"] == PHONE}
    if missing := len(truth.items() - got.items()):
        assert f"counts {missing} leads more than it showed" in told, f"{missing} leads are missing"
        return "part, told"
    return "all" if got == truth else "all and more"


def name_of(error: BaseException) -> str:
    """The class of an error; Airflow's own, for what a retry cannot mend, names it in its text."""
    name = type(error).__name__
    if isinstance(error, AirflowFailException):
        name = str(error).partition(":")[0]
    else:
        assert isinstance(error, SelaError)
    return name.removeprefix("Sela").removesuffix("Error")


def chain(error: BaseException | None) -> str:
    """Everything that an error and its causes can tell."""
    told = ""
    while error is not None:
        told += repr(error) + repr(error.args) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return told
