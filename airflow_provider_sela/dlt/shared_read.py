"""The one verified read behind the resources of a source, and what it leaves in dlt's own state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sela.warehouse.anchors import NO_LOAD, OTHER, anchor_text, read_anchor

if TYPE_CHECKING:
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot

_STATE = "anchor"


class Read(NamedTuple):
    """A verified read, with what stands for its account, filters and privacy options."""

    snapshot: LeadSnapshot
    asked: str


def last_anchor(asked: str) -> dict[str, Any]:
    """What the last load has left in dlt's state, or why that is nothing."""
    import dlt

    anchor, theirs = read_anchor(dlt.current.source_state().get(_STATE) or "")
    if anchor is None:
        return {"anchor": None, "refusal": NO_LOAD}
    if theirs != asked:
        return {"anchor": None, "refusal": OTHER}
    return {"anchor": anchor, "refusal": ""}


def keep_anchor(read: Read) -> None:
    """Leave what the next load may go on from; to be called when all leads were taken."""
    import dlt

    anchor = read.snapshot.anchor
    dlt.current.source_state()[_STATE] = anchor and anchor_text(anchor, read.asked)


class SharedRead:
    """One verified read for the resources of one extraction, which ask for it one after the other.

    :param read: reads, and frees the disk when its block ends.
    :param tables: the resources, by name.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[Read]], tables: Collection[str]) -> None:
        self._read = read
        self._tables = set(tables)
        self._lock = Lock()
        self._open = ExitStack()
        self._snapshot: Read | None = None
        self._asked: set[str] = set()
        self._served: set[str] = set()

    @contextmanager
    def snapshot(self, table: str) -> Iterator[Read]:
        """The read, as long as the block lasts; a table that asks again begins another one."""
        with self._lock:
            if self._snapshot is None or table in self._asked:
                self._close()
                self._snapshot = self._open.enter_context(self._read())
            self._asked.add(table)
            snapshot = self._snapshot
        try:
            yield snapshot
        finally:
            with self._lock:
                self._served.add(table)
                if self._snapshot is snapshot and self._served == self._tables:
                    self._close()

    def _close(self) -> None:
        self._snapshot = None
        self._asked.clear()
        self._served.clear()
        self._open.close()
