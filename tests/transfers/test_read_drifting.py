"""A hundred loads, fifty of each order, of a list that changes between and during them, over HTTP.

``SELA_SWEEP=20`` makes twenty times as many.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_sela.snapshot.doubts import MIXED
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import SECOND
from tests.support.databases import DuckDB
from tests.support.drifting_api import DriftingApi
from tests.support.loads import load

SWEEP = int(os.environ.get("SELA_SWEEP", "1"))
_LOOKBACK = 600 * SECOND
_EPOCH = datetime.fromtimestamp(0, UTC)


@pytest.fixture(params=["-modified_time", "modified_time"])
def api(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DriftingApi]:
    leads = DriftingList(request.param, leads=400, cap=40, seed=7)
    with DriftingApi(leads) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(DuckDB(tmp_path).connection))
        yield api


def out_of_order(leads: DriftingList, before: dict[int, int], changes: dict[int, int]) -> bool:
    """Whether a change since has given a lead an earlier time, which looks like an old answer."""
    later = {lead: stamps[changes.get(lead, 0) :] for lead, stamps in leads.changes.items()}
    # What a lead was given when it was added meanwhile, nobody remembers.
    return any(
        stamps and (lead not in before or [before[lead], *stamps] != sorted([before[lead], *stamps]))
        for lead, stamps in later.items()
    )


def test_the_table_is_never_behind_what_its_loads_have_promised(api: DriftingApi, tmp_path: Path) -> None:
    leads, chance, database = api.drifting, random.Random(7), DuckDB(tmp_path)  # noqa: S311
    scopes, doubts = Counter[str](), Counter[str]()
    # full_every goes by the machine's clock, and the list has one of its own, in the past.
    for number in range(50 * SWEEP):
        leads.habits = Habits(late=20 * SECOND, future=0.01)
        for _ in range(chance.choice((0, 2, 10, 30))):
            leads.now += 30 * SECOND
            leads.write()
        leads.habits = Habits(writes=chance.choice((0, 0.2, 1)), late=SECOND // 5, request=SECOND // 10)
        leads.begin()
        before = {row.id: row.modified for row in leads.rows()}
        changes = {lead: len(stamps) for lead, stamps in leads.changes.items()}
        result = load(f"run {number}", read="changed", full_every=None)
        scopes[result["scope"]] += 1
        if not result["verdict"].startswith("PROVEN"):
            assert out_of_order(leads, before, changes), number
            doubts[result["why_full"]] += 1
        rows = dict(database.rows("SELECT id, modified_time FROM leads"))
        for lead in leads.stable:
            if before[lead] >= leads.shown.get(lead, 0) - _LOOKBACK:
                # A change of one that was dated into the future may be dated earlier.
                later = leads.changes.get(lead, [])[changes.get(lead, 0) :]
                known = (rows[lead].astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
                assert known in (before[lead], *later), number
    assert scopes["changed"] > 20 * SWEEP
    assert doubts.keys() <= {MIXED}
    assert doubts.total() <= 2 * SWEEP
