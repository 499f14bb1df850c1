"""Every fault on every surface ends as :mod:`.expected` declares, in seconds, and tells nothing private."""

from __future__ import annotations

import pytest

from tests.fault_matrix import table
from tests.fault_matrix.broken import FAULTS
from tests.fault_matrix.conftest import Measure
from tests.fault_matrix.expected import EXPECTED, Expected, cells
from tests.fault_matrix.surfaces import SURFACES

#: Seconds on the wall that no cell takes, on a busy machine.
BOUND = 30

CELLS = [
    pytest.param(fault, surface, lasting, id=f"{fault}-{surface}-{'stays' if lasting else 'once'}")
    for fault in EXPECTED
    for lasting in (False, True)
    for surface in cells(fault, lasting=lasting)
]


@pytest.mark.parametrize(("fault", "surface", "lasting"), CELLS)
def test_a_fault_ends_as_declared(fault: str, surface: str, lasting: bool, measure: Measure) -> None:
    measured = measure(fault, surface, lasting)
    assert Expected(measured.outcome, measured.requests) == cells(fault, lasting=lasting)[surface]
    assert measured.waited >= EXPECTED[fault].waits
    assert measured.seconds < BOUND


def test_every_fault_and_every_surface_is_declared() -> None:
    assert EXPECTED.keys() == FAULTS.keys()
    assert list(cells("no fault", lasting=True)) == list(SURFACES)
    assert [fault for fault in FAULTS if FAULTS[fault].always == bool(EXPECTED[fault].once)] == []


def test_the_page_shows_what_is_declared() -> None:
    assert table.committed() == {
        (fault, lasting): cells(fault, lasting=lasting)
        for fault in EXPECTED
        for lasting in (False, True)
        if cells(fault, lasting=lasting)
    }
