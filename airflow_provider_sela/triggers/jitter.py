"""Pauses that keep triggers which began together from asking together."""

from __future__ import annotations

import random

# Of a pause, as the triggers promise.
_SHARE = 0.1


def jittered(seconds: float, *, early: bool = False) -> float:
    """So many seconds, up to a tenth longer.

    :param early: or up to a tenth shorter, so that the mean stays; not for a pause that somebody asked for.
    """
    return seconds * random.uniform(1 - _SHARE if early else 1, 1 + _SHARE)  # noqa: S311
