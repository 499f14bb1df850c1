"""What the last load of a table has left, so that the next may read only what is new."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import asdict

from airflow_provider_sela.snapshot.anchor import Anchor
from airflow_provider_sela.warehouse.catalogue import Existing
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.identifiers import beside
from airflow_provider_sela.warehouse.tables import LOADS_TABLE, Load, Mode, Source

_SELECTED = ("origin", "account", "anchor")
NO_LOAD = "no load before this one has left a proof to go on from"
OTHER = "the last load of the table was of another account, or with other filters or privacy options"


def find_anchor(engine: Engine, source: Source, asked: str, existing: Existing) -> tuple[Anchor | None, str]:
    """What the last load of the target has left, or why that is nothing.

    :param engine: connected engine.
    :param source: whose leads are to be read.
    :param asked: stands for filters and privacy options.
    :param existing: the target and the tables beside it.
    """
    dialect, name = engine.dialect, beside(engine.target, engine.dialect.fold(LOADS_TABLE))
    if "anchor" not in (existing[name] or ()) or existing[engine.target] is None:
        return None, NO_LOAD
    table, conditions, values = dialect.table(name), ["target"], [engine.key]
    if source.several_accounts:
        conditions, values = [*conditions, "origin", "account"], [*values, *source[:2]]
    where = " AND ".join(f"{dialect.column(each)} = {dialect.placeholder}" for each in conditions)
    started = dialect.column("started")
    last = list(
        engine.select(
            f"SELECT {', '.join(map(dialect.column, _SELECTED))} FROM {table} WHERE {where} AND {started} ="
            f" (SELECT MAX({started}) FROM {table} WHERE {where})",
            [*values, *values],
        )
    )
    # Two loads of one moment may each lack what the other has.
    left = last[0][2] if len(last) == 1 else None
    if not left:
        return None, NO_LOAD
    anchor, theirs = read_anchor(left)
    if anchor is None:
        return None, NO_LOAD
    return (anchor, "") if (*last[0][:2], theirs) == (*source[:2], asked) else (None, OTHER)


def read_anchor(text: str) -> tuple[Anchor | None, str]:
    """What :func:`anchor_text` wrote; None for what another version or somebody else did."""
    try:
        left = json.loads(text)
        asked = left.pop("asked")
        return Anchor(**{**left, "orders": tuple(left["orders"])}), asked
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, ""


def anchor_text(anchor: Anchor, asked: str) -> str:
    """What a load leaves, and what stands for its filters and privacy options, as text."""
    return json.dumps({**asdict(anchor), "asked": asked})


def anchor_column(load: Load) -> str | None:
    """What a load leaves, as it stands in the table of loads."""
    if load.anchor is None or load.source is None:
        return None
    return anchor_text(load.anchor, load.asked)


def held_ids(engine: Engine, mode: Mode, ids: Set[int]) -> tuple[Set[int], int]:
    """Which of some leads the target holds without a mark of deletion, and how many it holds so."""
    dialect = engine.dialect
    held, table, condition = set[int](), dialect.table(engine.target), dialect.not_deleted(mode)
    for one_of, values in engine.any_of(ids):
        rows = engine.select(
            f"SELECT {dialect.column('id')} FROM {table} WHERE {condition} AND {one_of}", values
        )
        held.update(row[0] for row in rows)
    total: int = engine.fetch_one(f"SELECT COUNT(*) FROM {table} WHERE {condition}")[0]
    return held, total
