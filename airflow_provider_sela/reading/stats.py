"""The figures of a verified read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ReadStats:
    """What a verified read found and cost.

    :param verdict: ``ATOMIC``, ``PROVEN(order)``, ``CONVERGED(passes)`` or ``UNVERIFIED``.
    :param leads: distinct leads.
    :param rejected: distinct results without a usable id.
    :param nulled: malformed values.
    :param requests: requests sent, retries included.
    :param retries: requests that were sent again.
    :param repaired: gaps between pages that were read again.
    :param passes: whole passes over the list, 1 where one was enough.
    :param seconds: duration, in the task that ended it.
    :param started: when the first request was about to be sent, in whichever task.
    """

    verdict: str
    leads: int
    rejected: int
    nulled: int
    requests: int
    retries: int
    repaired: int
    passes: int
    seconds: float
    started: datetime
