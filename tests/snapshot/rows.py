"""Rows of a list, and the orders in which a server may show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

SECOND = 1_000_000
START = 1_750_000_000 * SECOND
HONEST = ("id", "-id", "created_time", "-created_time", "modified_time", "-modified_time")
LIARS = ("heap, updates to the end", "heap, updates anywhere", "rotating start", "status")
QUEUES = ("queue, updates to the front", "queue, updates to the end")
"""Sorted by a place that no answer shows, then by id."""
STATUSES = ("CLOSED", "NEW", "OPEN")


class Row(NamedTuple):
    """A lead: what an answer shows of it, and what decides where it stands."""

    id: int
    created: int
    modified: int
    status: str
    born: int
    place: float


_KEYS: dict[str, Callable[[Row], tuple[float, ...]]] = {
    "id": lambda row: (row.id,),
    "-id": lambda row: (-row.id,),
    "created_time": lambda row: (row.created, row.id),
    "-created_time": lambda row: (-row.created, -row.id),
    "modified_time": lambda row: (row.modified, row.id),
    "-modified_time": lambda row: (-row.modified, -row.id),
    "-modified_time,id": lambda row: (-row.modified, row.id),
    "rotating start": lambda row: (row.id,),
    "status": lambda row: (STATUSES.index(row.status), row.id),
    "heap, updates to the end": lambda row: (row.place,),
    "heap, updates anywhere": lambda row: (row.place,),
    **{queue: lambda row: (row.place, row.id) for queue in QUEUES},
}


def sort_key(order: str) -> Callable[[Row], tuple[float, ...]]:
    """What the server sorts by."""
    return _KEYS[order]
