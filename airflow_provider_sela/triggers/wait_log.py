"""What a wait says of itself in the log; of a lead nothing but its id."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

#: A wait says at every so many looks that it goes on.
LOOKS_PER_LINE = 10
# datetime knows no later moment.
_LATEST = datetime.max.replace(tzinfo=UTC).timestamp() - 1


def log_wait(
    log: logging.Logger,
    looks: int,
    *,
    statuses: Sequence[str] | None,
    deadline: float | None,
    others: Collection[int] | None,
) -> None:
    """Say at the first look what is waited for and until when, and at every tenth that it still is.

    :param looks: number of looks, this one included.
    :param statuses: that are waited for, as the author of the DAG wrote them; None for any.
    :param deadline: seconds since the epoch; None: there is none.
    :param others: ids of leads that were seen and have another status; None where nobody has looked.
    """
    until = ""
    if deadline is not None:
        until = f" until {datetime.fromtimestamp(min(deadline, _LATEST), UTC):%Y-%m-%d %H:%M:%S} UTC"
    seen = f": {described}" if (described := seen_so_far(others)) else ""
    if looks == 1:
        wanted = "" if statuses is None else f" and one of the statuses {', '.join(statuses)}"
        log.info("Sela: waiting%s for a lead with this external_id%s%s", until, wanted, seen)
    elif looks % LOOKS_PER_LINE == 0:
        log.info("Sela: still waiting after %d looks%s%s", looks, until, seen)


def seen_so_far(others: Collection[int] | None) -> str:
    """What the last look saw in place of the lead; empty where nobody has looked."""
    if others is None:
        return ""
    if not others:
        return "none is there"
    ids = ", ".join(map(str, sorted(others)))
    there = f"lead {ids} is" if len(others) == 1 else f"leads {ids} are"
    return f"{there} there, with a status that is not waited for"
