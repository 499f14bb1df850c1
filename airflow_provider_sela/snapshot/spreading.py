"""A read spread over processes that share no clock.

One process reads as :class:`~airflow_provider_sela.snapshot.reading.Reading` asks until it asks for several
windows at once. Those are divided among others. A last process gives all answers to a ``Reading`` of its own,
which goes on from there.

**Why the proof holds.** Nothing but the order of ticks is read from them: a request was sent after another
was answered, or nobody knows. Between processes only two things are known, and only these are told: all the
divided windows were sent after the first process had its answers, and answered before the last process sent
its first request. Among themselves they all overlap. A floor, a witness or an end of the list then counts for
less than one clock would allow, never for more, and what is missing is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from airflow_provider_sela.snapshot.pages import Window
from airflow_provider_sela.snapshot.reading import Reading


class OtherReadingError(Exception):
    """What was read first is not what this reading asks for: another version of the package asked for it."""


class Answered(Protocol):
    """An answer to a window."""

    @property
    def window(self) -> Window: ...


A = TypeVar("A", bound=Answered)


def divide(windows: Sequence[Window], most: int) -> list[list[Window]]:
    """Cut windows into runs of neighbours, as even as can be.

    Neighbours stay together because they are then read one soon after the other: windows that are read far
    apart in time come apart in a list that moves, and each seam that does costs the last process a request.

    :param windows: in the order in which they are best read.
    :param most: runs at most.
    """
    runs = min(most, len(windows))
    bounds = [number * len(windows) // runs for number in range(runs + 1)] if runs else [0]
    return [list(windows[low:high]) for low, high in pairwise(bounds)]


def resume(
    reading: Reading, first: Iterable[A], divided: Iterable[A], take: Callable[[A, int, int], object]
) -> tuple[list[Window], int]:
    """Bring a new reading to where other processes left theirs.

    :param reading: a new one, with the page size of theirs.
    :param first: answers of the process that planned, in the order in which it had them.
    :param divided: answers to the windows that were divided, in any order; some may be missing.
    :param take: records an answer, sent and answered at these ticks, in ``reading``.
    :return: windows that are out and still to be read, and the tick at which to go on.
    :raises OtherReadingError: the reading asks for another window than those that were answered first.
    """
    tick = 0
    for answer in first:
        if reading.wanted() != [answer.window]:
            raise OtherReadingError
        take(answer, tick, tick + 1)
        tick += 2
    missing = dict.fromkeys(reading.wanted())
    # As many ticks as one process would have taken, because repairs judge by them how fast the list moves.
    ended = tick + 2 * len(missing)
    for answer in divided:
        if answer.window in missing:
            del missing[answer.window]
            take(answer, tick, ended)
    return list(missing), ended + 1
