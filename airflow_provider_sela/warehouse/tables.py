"""The tables that a load writes: their columns, keys, and what each mode does to a row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sela.api.content import digest
from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Field, Kind
from airflow_provider_sela.metrics import LOAD_COUNTS, TOLERANCE_SECONDS, ReadStats

if TYPE_CHECKING:
    from airflow_provider_sela.snapshot.anchor import Anchor

HASH = "_sela_hash"
DIGEST = "_sela_digest"
SYNCED_AT = "_sela_synced_at"
RUN_ID = "_sela_run_id"
LOAD_ID = "_sela_load_id"
DELETED_AT = "_sela_deleted_at"
VALID_FROM = "_sela_valid_from"
VALID_TO = "_sela_valid_to"

#: What is known of a lead before it meets the table.
STAGED = (*LEAD_FIELDS, EXTRA, Field(HASH, Kind.TEXT), Field(DIGEST, Kind.TEXT))
_LANDED = (
    *STAGED,
    Field(SYNCED_AT, Kind.TIMESTAMP),
    Field(RUN_ID, Kind.TEXT),
    Field(LOAD_ID, Kind.TEXT),
    Field(DELETED_AT, Kind.TIMESTAMP),
)

#: Columns whose text is short and plain, which a key or an index of some databases needs to know.
SHORT = frozenset(
    (
        HASH,
        DIGEST,
        RUN_ID,
        LOAD_ID,
        "attempt_id",
        "load_id",
        "dag_id",
        "task_id",
        "run_id",
        "target",
        "accounts",
        "mode",
        "verdict",
        "scope",
    )
)


class Layout(NamedTuple):
    """Columns of a table and the names of those that identify a row."""

    fields: Sequence[Field]
    key: Sequence[str] = ()


#: The staging table.
STAGING = Layout(STAGED, ("id",))
#: The bytes of all leads that were read, each with its place in the order of arrival.
DIGESTS = Layout((Field("place", Kind.INTEGER), Field("id", Kind.INTEGER), Field(DIGEST, Kind.TEXT)), ("id",))
#: What a load does without where the target lacks it.
OPTIONAL = frozenset((DIGEST,))


def staged_in(columns: Collection[str]) -> list[Field]:
    """What of a staged row a table has a column for."""
    return [field for field in STAGED if field.name not in OPTIONAL or field.name in columns]


class Mode(StrEnum):
    """What a load does with leads that the table knows already.

    ``merge`` keeps one row for each lead and touches only those that changed. ``replace`` also removes the
    leads that are gone. ``append`` keeps one row for each lead and load. ``history`` keeps a row for
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
        return Layout(_LANDED, ("id", LOAD_ID) if self is Mode.APPEND else ("id",))

    @property
    def since(self) -> str:
        """The column that says when a row's version was first read."""
        return VALID_FROM if self is Mode.HISTORY else SYNCED_AT

    @property
    def verbs(self) -> str:
        """The statements that change the table, separated by blanks."""
        return "INSERT UPDATE DELETE" if self.removes else "INSERT UPDATE"

    @property
    def removes(self) -> bool:
        """Whether rows of leads that are not there any more go away."""
        return self in (Mode.REPLACE, Mode.APPEND)


LOADS_TABLE = "_sela_loads"
REJECTS_TABLE = "_sela_rejects"
#: What a read says of itself, in every table of loads; :func:`read_values` fills them.
READ_COLUMNS = (
    Field("verdict", Kind.TEXT),
    Field("reason", Kind.TEXT),
    Field("scope", Kind.TEXT),
    Field("since", Kind.TIMESTAMP),
    Field("why_full", Kind.TEXT),
    Field("missing_fields", Kind.TEXT),
    Field("unknown_fields", Kind.TEXT),
    Field("started", Kind.TIMESTAMP),
    Field("finished", Kind.TIMESTAMP),
    Field("watermark", Kind.TIMESTAMP),
)
LOADS = Layout(
    (
        Field("attempt_id", Kind.TEXT),
        Field("load_id", Kind.TEXT),
        Field("dag_id", Kind.TEXT),
        Field("task_id", Kind.TEXT),
        Field("run_id", Kind.TEXT),
        Field("map_index", Kind.INTEGER),
        Field("target", Kind.TEXT),
        Field("origin", Kind.TEXT),
        Field("account", Kind.TEXT),
        Field("accounts", Kind.TEXT),
        Field("mode", Kind.TEXT),
        Field("anchor", Kind.TEXT),
        *READ_COLUMNS,
        *(Field(name, Kind.INTEGER) for name in LOAD_COUNTS),
    ),
    ("attempt_id",),
)
REJECTS = Layout(
    (
        Field("target", Kind.TEXT),
        Field(HASH, Kind.TEXT),
        Field("load_id", Kind.TEXT),
        Field("run_id", Kind.TEXT),
        Field("rejected_at", Kind.TIMESTAMP),
        Field("raw", Kind.TEXT),
    ),
    ("target", HASH),
)


def read_values(stats: ReadStats, reason: str, watermark: datetime | None) -> dict[str, Any]:
    """The values of :data:`READ_COLUMNS`.

    :param reason: why the verdict is no stronger; empty for a proof.
    :param watermark: the latest ``modified_time`` of all leads.
    """
    return {
        "verdict": stats.verdict,
        "reason": reason or None,
        "scope": stats.scope,
        "since": stats.since,
        "why_full": stats.why_full or None,
        **{name: ", ".join(found) or None for name, found in stats.fields().items()},
        "started": stats.started,
        "finished": stats.now(),
        "watermark": watermark,
    }


class TaskRun(NamedTuple):
    """What a load is known by: its retries and reruns have it in common, and no other load has it.

    Airflow's run id alone would not do: two DAGs on one schedule share it, and so do mapped tasks.
    """

    run_id: str
    dag_id: str | None = None
    task_id: str | None = None
    map_index: int = -1

    @property
    def load_id(self) -> str:
        """32 hexadecimal digits that stand for all of it."""
        return digest("\0".join(map(str, self)).encode())


#: What the table of loads says of a target that is meant for leads of more than one account.
SEVERAL = "several"


class Source(NamedTuple):
    """Whose leads a load brings.

    :param origin: the server's address.
    :param account: stands for the token at this server.
    :param several_accounts: whether the table is meant for leads of others too.
    """

    origin: str
    account: str
    several_accounts: bool = False

    def columns(self) -> tuple[str, str, str]:
        """The same as it stands in the table of loads."""
        return self.origin, self.account, SEVERAL if self.several_accounts else "one"


@dataclass(frozen=True)
class Load:
    """One read that is about to land.

    :param task_run: whose load it is.
    :param stats: what the read found and cost.
    :param source: whose leads it brings; None (default) where nobody knows.
    :param reason: why the verdict is no stronger; empty for a proof.
    :param deleted_ids: of leads that are confirmed to be deleted at Sela.
    :param max_deletes: most rows that may be removed because their leads were not read, a number or a share;
        None (default): all.
    :param anchor: what the read leaves to one of what is new; None (default) for nothing.
    :param asked: stands for the filters and privacy options of the read.
    """

    task_run: TaskRun
    stats: ReadStats
    source: Source | None = None
    reason: str = ""
    deleted_ids: Sequence[int] = field(default=(), repr=False)
    max_deletes: int | float | None = None
    anchor: Anchor | None = None
    asked: str = ""

    @property
    def run_id(self) -> str:
        """Airflow's run id."""
        return self.task_run.run_id

    @cached_property
    def load_id(self) -> str:
        """What stands for :attr:`task_run` in a row."""
        return self.task_run.load_id

    @property
    def whole(self) -> bool:
        """Whether all leads were read. Of what is new, few are as they were, and few are read: rows are made
        of them all sooner than every row of the target is looked at."""
        return self.stats.scope == "full"

    @property
    def started(self) -> datetime:
        """The time that decides between two loads that overlap."""
        return self.stats.started

    @cached_property
    def latest(self) -> datetime:
        """No load can have begun later than this, unless its clock was wrong."""
        return self.stats.now() + timedelta(seconds=TOLERANCE_SECONDS)


class Counts(NamedTuple):
    """Rows of a table that a load is to change, or that it has changed.

    :param ahead: those that it cannot change, because they are stamped later than now.
    """

    new: int
    changed: int
    deleted: int
    ahead: int = 0

    @property
    def written(self) -> int:
        return self.new + self.changed + self.deleted
