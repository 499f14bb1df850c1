"""How a read is split into parts, and what a last process may conclude from answers of others."""

from __future__ import annotations

import pytest

from airflow_provider_sela.snapshot.parts import OtherReadingError, resume, split_into_parts
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Entry, Response, Window

WINDOWS = [Window(number, 100) for number in range(1, 11)]


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, [10]), (3, [3, 3, 4]), (4, [2, 3, 2, 3]), (10, [1] * 10), (99, [1] * 10)]
)
def test_runs_are_even_and_of_neighbours(most: int, sizes: list[int]) -> None:
    runs = split_into_parts(WINDOWS, most)
    assert [len(run) for run in runs] == sizes
    assert [window for run in runs for window in run] == WINDOWS


def test_nothing_is_split_into_nothing() -> None:
    assert split_into_parts([], 4) == []


def _answer(window: Window, date: int | None) -> Response:
    """A slice of 40 leads by id, 10 at most; nobody has told the time yet."""
    ids = range(window.offset + 1, min(window.stop, window.offset + 10, 40) + 1)
    return Response(window, [Entry(each, each, None) for each in ids], 40, window.stop < 40, date, 0, 0)


def _resumed(
    dates: list[int | None], until: int | None, times: int = 1
) -> tuple[list[tuple[Window, int, int]], int, list[Window]]:
    """What a last process is told of a read whose windows were answered at these dates, so many times."""
    planner, reading = Reading(10), Reading(10)
    first = []
    while len(windows := planner.wanted()) == 1:
        first.append(_answer(windows[0], 1000))
        planner.record(first[-1])
    parts = [_answer(window, date) for window, date in zip(windows, dates, strict=False)]
    taken = []

    def take(answer: Response, started: int, ended: int) -> None:
        taken.append((answer.window, started, ended))
        reading.record(answer)

    waiting, tick = resume(reading, first, parts * times, take, until=until)
    assert {window for window, _, _ in taken[len(first) :]} | set(waiting) == set(windows)
    return taken[len(first) :], tick, waiting


@pytest.mark.parametrize("dates", [[1000, 1500, 2000], [2000, 900, 5000], [None, None, None]])
def test_windows_of_parts_overlap_each_other_and_precede_all_that_follows(dates: list[int | None]) -> None:
    taken, tick, _ = _resumed(dates, 2000)
    assert len(taken) == 3
    (started,) = {started for _, started, _ in taken}
    assert all(started < ended < tick for _, _, ended in taken)
    assert started > 1


def test_ends_follow_the_servers_clock_as_far_as_it_is_known() -> None:
    early, middle, late = (ended for _, _, ended in _resumed([1000, 1500, 2000], 2000)[0])
    assert early < middle < late
    assert len({ended for _, _, ended in _resumed([1500, 1500, 1500], None)[0]}) == 1


def test_a_window_without_an_answer_is_still_wanted() -> None:
    taken, _, waiting = _resumed([1500], 1500)
    assert len(taken) == 1
    assert len(waiting) >= 2
    assert taken[0][0] not in waiting


def test_a_window_that_two_processes_answered_counts_once() -> None:
    assert _resumed([1000, 1500, 2000], 2000, times=2) == _resumed([1000, 1500, 2000], 2000)


def test_answers_to_what_nobody_asked_begin_no_reading() -> None:
    strange = _answer(Window(3, 7), 1000)
    with pytest.raises(OtherReadingError):
        resume(Reading(10), [strange], [], lambda answer, started, ended: None, until=None)
