"""The tables that a load writes: their columns, keys, and what each mode does to a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Field, Kind
from airflow_provider_sela.metrics import LOAD_COUNTS, ReadStats

HASH = "_sela_hash"
SYNCED_AT = "_sela_synced_at"
RUN_ID = "_sela_run_id"
DELETED_AT = "_sela_deleted_at"
VALID_FROM = "_sela_valid_from"
VALID_TO = "_sela_valid_to"

#: What is known of a lead before it meets the table.
STAGED = (*LEAD_FIELDS, EXTRA, Field(HASH, Kind.TEXT))
_LANDED = (
    *STAGED,
    Field(SYNCED_AT, Kind.TIMESTAMP),
    Field(RUN_ID, Kind.TEXT),
    Field(DELETED_AT, Kind.TIMESTAMP),
)

#: Columns whose text is short and plain, which a key or an index of some databases needs to know.
SHORT = frozenset({HASH, RUN_ID, "run_id", "target", "mode", "verdict"})


class Layout(NamedTuple):
    """Columns of a table and the names of those that identify a row."""

    fields: Sequence[Field]
    key: Sequence[str] = ()


#: The staging table.
STAGING = Layout(STAGED, ("id",))


class Column(NamedTuple):
    """A column that a table has.

    :param type: as the database calls it, lower case; empty where it cannot be asked.
    :param nullable: whether it may hold NULL.
    :param filled: whether the database fills it when a new row leaves it out.
    """

    type: str
    nullable: bool = True
    filled: bool = True


class Mode(StrEnum):
    """What a load does with leads that the table knows already.

    ``merge`` keeps one row for each lead and touches only those that changed. ``replace`` also removes the
    leads that were not read. ``append`` keeps one row for each lead and load. ``history`` keeps a row for
    each version of a lead.
    """

    MERGE = "merge"
    REPLACE = "replace"
    APPEND = "append"
    HISTORY = "history"

    @property
    def layout(self) -> Layout:
        """The table of this mode."""
        if self is Mode.HISTORY:
            validity = (Field(VALID_FROM, Kind.TIMESTAMP), Field(VALID_TO, Kind.TIMESTAMP))
            return Layout((*_LANDED, *validity), ("id", VALID_FROM))
        return Layout(_LANDED, ("id", RUN_ID) if self is Mode.APPEND else ("id",))

    @property
    def verbs(self) -> str:
        """The statements that change the table, separated by blanks."""
        return "INSERT UPDATE DELETE" if self.removes else "INSERT UPDATE"

    @property
    def removes(self) -> bool:
        """Whether rows of leads that were not read go away."""
        return self in (Mode.REPLACE, Mode.APPEND)


LOADS_TABLE = "_sela_loads"
REJECTS_TABLE = "_sela_rejects"
LOADS = Layout(
    (
        Field("run_id", Kind.TEXT),
        Field("target", Kind.TEXT),
        Field("mode", Kind.TEXT),
        Field("verdict", Kind.TEXT),
        Field("reason", Kind.TEXT),
        Field("started", Kind.TIMESTAMP),
        Field("finished", Kind.TIMESTAMP),
        Field("watermark", Kind.TIMESTAMP),
        *(Field(name, Kind.INTEGER) for name in LOAD_COUNTS),
    )
)
REJECTS = Layout(
    (
        Field("target", Kind.TEXT),
        Field(HASH, Kind.TEXT),
        Field("run_id", Kind.TEXT),
        Field("rejected_at", Kind.TIMESTAMP),
        Field("raw", Kind.TEXT),
    )
)


@dataclass(frozen=True)
class Load:
    """One read that is about to land.

    :param run_id: Airflow's run id; a rerun has the same one.
    :param stats: what the read found and cost.
    :param reason: why the verdict is no stronger; empty for a proof.
    :param deleted_ids: of leads that are confirmed to be deleted at Sela.
    """

    run_id: str
    stats: ReadStats
    reason: str = ""
    deleted_ids: Sequence[int] = field(default=(), repr=False)

    @property
    def started(self) -> datetime:
        """The time that decides between two loads that overlap."""
        return self.stats.started


class Counts(NamedTuple):
    """What a load did to the rows of a table."""

    new: int
    changed: int
    deleted: int
