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


def sort_key(order: str) -> Callable[[Row], tuple[float, ...]]:
    """What the server sorts by."""
    match order:
        case "id" | "rotating start":
            return lambda row: (row.id,)
        case "-id":
            return lambda row: (-row.id,)
        case "created_time":
            return lambda row: (row.created, row.id)
        case "-created_time":
            return lambda row: (-row.created, -row.id)
        case "modified_time":
            return lambda row: (row.modified, row.id)
        case "-modified_time":
            return lambda row: (-row.modified, -row.id)
        case "-modified_time,id":
            return lambda row: (-row.modified, row.id)
        case "status":
            return lambda row: (STATUSES.index(row.status), row.id)
        case "heap, updates to the end" | "heap, updates anywhere":
            return lambda row: (row.place,)
        case _ if order in QUEUES:
            return lambda row: (row.place, row.id)
    raise ValueError(order)
