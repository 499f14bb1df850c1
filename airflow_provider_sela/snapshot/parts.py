"""A read in parts, by processes that share no clock.

One process reads as :class:`~airflow_provider_sela.snapshot.reading.Reading` asks until it asks for several
windows at once. Those are split into parts, which others read. A last process gives all answers to a
``Reading`` of its own, which goes on from there.

**Why the proof holds.** Nothing but the order of ticks is read from them: a request was sent after another
was answered, or nobody knows. Between processes only two things are known, and ticks say no more: all
windows of parts were sent after the first process had its answers, and answered before the last process sent
its first request. Among themselves they all overlap. A floor, a lead that testifies or an end of the list
then counts for less than one clock would allow, never for more, and what is missing is read again. How long
a request took is measured by the one process that sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Window


class OtherReadingError(Exception):
    """What was read first is not what this reading asks for: another version of the package asked for it."""


class Answered(Protocol):
    """An answer to a window."""

    @property
    def window(self) -> Window: ...

    @property
    def date(self) -> int | None: ...


A = TypeVar("A", bound=Answered)


def split_into_parts(windows: Sequence[Window], most: int) -> list[list[Window]]:
    """Cut windows into runs of neighbours, as even as can be.

    Neighbours stay together, so that they are read one soon after the other. Where the list moves, windows
    come apart that are read far apart in time, and each gap costs the last process a request.

    :param windows: in the order in which they are best read.
    :param most: runs at most.
    """
    runs = min(most, len(windows))
    bounds = [number * len(windows) // runs for number in range(runs + 1)] if runs else [0]
    return [list(windows[low:high]) for low, high in pairwise(bounds)]


def resume(
    reading: Reading,
    planning: Iterable[A],
    parts: Iterable[A],
    take: Callable[[A, int, int], object],
    *,
    until: int | None,
) -> tuple[list[Window], int]:
    """Bring a new reading to where other processes left theirs.

    :param reading: a new one, with the page size of theirs.
    :param planning: answers of the process that planned, in the order in which it had them.
    :param parts: answers of the processes that read parts, in any order; some may be missing.
    :param take: records an answer, sent and answered at these ticks, in ``reading``.
    :param until: the newest ``Date`` among the answers of parts, None if there is none.
    :return: windows that are out and still to be read, and the tick at which to go on.
    :raises OtherReadingError: the reading asks for another window than those that were answered first.
    """
    tick, since = 0, None
    for answer in planning:
        if reading.wanted() != [answer.window]:
            raise OtherReadingError
        take(answer, tick, tick + 1)
        tick, since = tick + 2, answer.date
    missing = dict.fromkeys(reading.wanted())
    # As many ticks as one process would have taken. Where between them an answer came is a guess, by which
    # repairs judge how fast the list moves; the proof compares ends with starts only, and the starts are one.
    span = 2 * len(missing)
    for answer in parts:
        if answer.window in missing:
            del missing[answer.window]
            take(answer, tick, tick + max(round(_far(since, answer.date, until) * span), 1))
    return list(missing), tick + span + 1


def _far(since: int | None, date: int | None, until: int | None) -> float:
    """How far between two dates a third is, 0 to 1; 1 if nobody knows."""
    if since is None or date is None or until is None or until <= since:
        return 1.0
    return min(max((date - since) / (until - since), 0.0), 1.0)
