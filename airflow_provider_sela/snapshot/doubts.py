"""What answers show that no order can mend: caches, copies that lag, pages that are not what they say."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.snapshot.windows import Observation, Response

CACHED = "answers may be older than their requests: a cache or a copy that lags gave them"
MIXED = "answers are of different age: a lead was shown in an older version after a newer one"
INCOMPLETE = "the server leaves leads out of its pages"
REPEATED = "the server shows leads twice in one page"
IGNORED = "the server ignores page_size, so windows cannot overlap"
LIMITED = "the server pages only so far"
OVERCOUNTED = "the server counts leads on pages that show none"

_APART = 3_000_000
"""Microseconds by which ``Date`` may go back: clocks of servers may differ by two seconds, and the header
leaves out the part of a second."""

_LATE = 30_000_000
"""Microseconds by which a later change of a lead may be dated before an earlier one: transactions wait, and
clocks differ."""


class Versions:
    """Looks for a lead that an answer shows in an older version than an answer before its request did.

    :ivar mixed: whether there was one.
    """

    def __init__(self) -> None:
        self.mixed = False
        self._newest: dict[int, tuple[int, int]] = {}

    def compare(self, seen: Observation, firsts: Mapping[int, Observation]) -> None:
        """Compare leads of a response with how they were shown before.

        :param firsts: for each of the leads the first response that shows it.
        """
        shown = {
            id(first): _versions(first) for first in {id(each): each for each in firsts.values()}.values()
        }
        current = _versions(seen)
        for lead, first in firsts.items():
            modified = current[lead]
            newest, ended = self._newest.get(lead) or (shown[id(first)][lead], first.ended)
            if modified < newest:
                self.mixed |= MISSING < modified < newest - _LATE and ended < seen.started
            elif modified > newest:
                newest, ended = modified, seen.ended
            self._newest[lead] = newest, ended


def _versions(seen: Observation) -> dict[int, int]:
    return dict(zip(seen.ids, seen.column("modified_time"), strict=True))


def outdated(observations: Sequence[Observation]) -> bool:
    """Whether some response is from a cache, may be, or is dated before one that its request followed."""
    if any(seen.stored for seen in observations):
        return True
    answered = sorted(observations, key=lambda seen: seen.ended)
    ticks = [seen.ended for seen in answered]
    newest = list(accumulate((MISSING if seen.date is None else seen.date for seen in answered), max))
    for seen in observations:
        known = bisect_left(ticks, seen.started)
        if known and seen.date is not None and seen.date < newest[known - 1] - _APART:
            return True
    return False


def observed_doubts(responses: Iterable[Response]) -> set[str]:
    """Which of :data:`CACHED` and :data:`REPEATED` some responses show."""
    seen = [Observation(response) for response in responses]
    holds = {CACHED: outdated(seen), REPEATED: any(each.twice for each in seen)}
    return {doubt for doubt, shown in holds.items() if shown}


def leaves_out(observations: Sequence[Observation], cap: int) -> bool:
    """Whether pages are too short although leads are shown behind them later; one may be so because the list
    was shorter for a moment.

    :param cap: leads that the server gives at once.
    """
    short = [
        seen for seen in observations if seen.has_next and seen.rows < seen.window.page_size <= cap
    ]  # fmt: skip
    if len(short) < 2:
        return False
    sent = sorted(observations, key=lambda seen: seen.started)
    ticks = [seen.started for seen in sent]
    shown = [seen.window.offset + seen.rows if seen.rows else 0 for seen in reversed(sent)]
    reach = [*reversed(list(accumulate(shown, max))), 0]
    behind = sum(
        reach[bisect_left(ticks, seen.ended + 1)] >= seen.window.offset + seen.rows + cap for seen in short
    )
    return behind > 1
