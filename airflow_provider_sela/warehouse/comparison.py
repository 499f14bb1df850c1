"""Leads of a target beside those of a read, compared in the worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow_provider_sela.warehouse.digests import HASH_LENGTH, LENGTH, Remarks, remarks
from airflow_provider_sela.warehouse.tables import Counts


class Known(NamedTuple):
    """A lead as the target has it.

    :param digest: its hash, None where it has to be written in any case.
    :param later: whether a load that began later than this one wrote it.
    :param modified: its ``modified_time`` in that case.
    :param ahead: whether it is stamped later than now.
    :param current: whether it holds a digest by the rules of now.
    """

    digest: str | None
    later: bool
    modified: datetime | None
    ahead: bool
    current: bool

    def differs(self, digest: str, modified: datetime | None) -> bool:
        """Whether what was read is to replace it."""
        if self.digest == digest:
            return False
        return not self.later or bool(modified and self.modified and modified > self.modified)


class Comparison(NamedTuple):
    """Leads of the target beside those of the read.

    :param known: by id, those in scope.
    :param missing: how many the target lacks.
    :param changed: ids of those that differ.
    :param gone: ids of those that were not read, as far as they are to go.
    :param ahead: how many are stamped later than now.
    :param overlooked: how many of which no row was made are not there any more as they were.
    """

    known: dict[int, Known]
    missing: int
    changed: set[int]
    gone: list[int]
    ahead: int
    overlooked: int

    @property
    def counts(self) -> Counts:
        return Counts(self.missing, len(self.changed), len(self.gone), self.ahead)


class Unmade(NamedTuple):
    """Leads that the target has in the very same bytes.

    :param hashes: of their rows, by id.
    :param remarks: what was told of them when they became rows.
    """

    hashes: dict[int, str]
    remarks: Remarks

    def overlooked(self, known: dict[int, Known]) -> int:
        """How many are not there any more as they were."""
        return sum(key not in known or known[key].digest != digest for key, digest in self.hashes.items())


def unmade(
    rows: Iterable[tuple[int, Known, str | None]],
    leads: Iterable[tuple[int, bytes]],
    digest: Callable[[bytes], str],
) -> Unmade:
    """Find the leads of which no row is to be made.

    :param rows: of the target in scope, each with what it holds as its digest.
    :param leads: those that were read, in the bytes that came.
    """
    held: dict[int, tuple[str, str] | None] = {}
    for key, row, kept in rows:
        here = None
        if kept and row.digest and kept.startswith(row.digest[:HASH_LENGTH], LENGTH):
            here = None if row.later or row.ahead else (kept, row.digest)
        held[key] = here if held.get(key, here) == here else None
    hashes, told = dict[int, str](), Counter[str]()
    for key, lead in leads if any(held.values()) else ():
        found = held.get(key)
        if found and found[0][:LENGTH] == digest(lead):
            hashes[key] = found[1]
            told[found[0][LENGTH + HASH_LENGTH :]] += 1
    return Unmade(hashes, remarks(told.items()))


def aware(value: Any) -> datetime | None:
    """A timestamp as drivers give it: with or without a zone, as text, or as an object of Java's."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
