"""How a read of what is new goes on from the last load."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_sela.snapshot.anchor import Anchor
from airflow_provider_sela.snapshot.partial import PartialReading
from airflow_provider_sela.snapshot.reach import Reach, Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Judges which leads of a read earlier loads have brought, and how many leads these have in all.
Judge = Callable[[Set[int], int], None]
#: Asked with ids of leads, and told how to judge the answer: which of them earlier loads have brought.
Held = Callable[[Set[int], Judge], Set[int]]


def microseconds_of(moment: datetime) -> int:
    """A moment as microseconds since the epoch."""
    # pendulum's differences do not divide by Python's.
    return timegm(moment.utctimetuple()) * 1_000_000 + moment.microsecond


def moment_of(microseconds: int) -> datetime:
    """The moment so many microseconds after the epoch."""
    return _EPOCH + timedelta(microseconds=microseconds)


@dataclass(frozen=True)
class Continuation:
    """How much of the list a read is to bring, and what it may rely on.

    :param scope: what it is to bring.
    :param lookback: how long a change may take to show.
    :param anchor: what the last load left; None where it left nothing or ``since`` is given.
    :param refusal: why everything is to be read; empty where it need not be.
    :param since: the moment that is asked for, instead of the last load's.
    :param held: see :data:`Held`; None where nobody knows.
    """

    scope: Scope
    lookback: timedelta = timedelta()
    anchor: Anchor | None = None
    refusal: str = ""
    since: datetime | None = None
    held: Held | None = None

    @property
    def goes_on(self) -> bool:
        """Whether nothing is known yet that speaks against a read of what is new."""
        return not self.refusal and self.scope is not Scope.FULL

    @property
    def moment(self) -> datetime:
        """From when on changes are brought."""
        if self.since is not None or self.anchor is None:
            return self.since or _EPOCH
        return moment_of(self.anchor.floor) - self.lookback

    def reading(self, page_size: int) -> PartialReading:
        """The dialogue of such a read."""
        low_id = None if self.anchor is None else self.anchor.low_id
        return PartialReading(page_size, self.scope, Reach(microseconds_of(self.moment), low_id), self.anchor)

    def held_ids(self, reading: PartialReading) -> Set[int]:
        """Ids of a read's leads that earlier loads have brought.

        :raises LeadsMissingError: those loads lack leads.
        """
        anchor = self.anchor
        if anchor is None:
            return frozenset()

        def judge(held: Set[int], total: int) -> None:
            if missing := reading.missing(held, min(anchor.known, total)):
                raise LeadsMissingError(missing)

        if self.held is not None:
            return self.held(reading.ids, judge)
        held = {lead for lead in reading.ids if lead <= anchor.highest_id}
        judge(held, anchor.known)
        return held


def continuation_from(
    read: str,
    anchor: Anchor | None,
    refusal: str,
    *,
    lookback: timedelta,
    full_every: timedelta | None,
    held: Held | None = None,
) -> Continuation:
    """What a read may rely on that goes on from the last load.

    :param read: ``full``, ``changed`` or ``new``.
    :param anchor: what the last load left; None with a ``refusal``.
    :param full_every: how long a read of everything is good for; None: for ever.
    :param held: see :data:`Held`.
    """
    scope = Scope(read)
    if scope is Scope.FULL or anchor is None:
        return Continuation(scope, lookback, None, refusal)
    every = None if full_every is None else full_every // timedelta(microseconds=1)
    refusal = anchor.refusal(scope, microseconds_of(datetime.now(UTC)), every)
    return Continuation(scope, lookback, anchor, refusal, held=held)


class LeadsMissingError(Exception):
    """Earlier loads have left leads out; the message says how that is known."""
