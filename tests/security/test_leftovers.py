"""Whatever way a read ends, it leaves no thread, no socket, no open file and no file on the disk."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from tests.security.belongings import Belongings, belongings, eventually, files

Read = Callable[[SelaApi, SelaHook, Path], None]


class InterruptedByAlarm(BaseException):
    """What a time-out of the task looks like from inside."""


def walk(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    assert len(list(hook.iter_leads())) == 250


def abandoned_walk(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    assert len(list(islice(hook.iter_leads(), 30))) == 30


def snapshot(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    with hook.snapshot() as leads:
        assert len(leads) == 250


def refused_halfway(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    with hook.snapshot() as leads:
        api.token = "revoked"
        assert len(leads) == 250
    with pytest.raises(SelaError, match="401"), hook.snapshot():
        pass


def reader_that_fails(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), hook.snapshot() as leads:
        next(iter(leads))["id"] / 0


def interrupted(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    api.latency = 0.2

    def ring(number: int, frame: object) -> None:
        raise InterruptedByAlarm

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(InterruptedByAlarm), hook.snapshot(page_size=5):
            pass
    finally:
        signal.signal(signal.SIGALRM, before)


def async_find(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    assert len(asyncio.run(hook.afind_leads("id_in_your_crm_28007"))) == 1


def async_refused(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    api.token = "revoked"
    with pytest.raises(SelaError, match="401"):
        asyncio.run(hook.acount_leads())


def async_cancelled(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    async def give_up() -> None:
        await asyncio.wait_for(hook.afind_leads("id_in_your_crm_28007"), 0.2)

    api.latency = 1
    with pytest.raises(TimeoutError):
        asyncio.run(give_up())


def file(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    SelaLeadsOperator(task_id="t", path=f"{folder}/leads.csv.gz").execute({})
    for name in ("leads.csv.gz", "leads.csv.gz.manifest.json"):
        (folder / name).unlink()


def file_of_a_read_that_fails(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    api.answer_next(400, times=1)
    with pytest.raises(BaseException, match="400"):
        SelaLeadsOperator(task_id="t", path=f"{folder}/leads.parquet").execute({})


def table(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    SelaLeadsToSqlOperator(task_id="t", conn_id="target", table="leads").execute({})
    (folder / "leads.db").unlink()


def table_that_does_not_fit(api: SelaApi, hook: SelaHook, folder: Path) -> None:
    operator = SelaLeadsToSqlOperator(task_id="t", conn_id="target", table="leads", create_table=False)
    with pytest.raises(BaseException, match="there is no table"):
        operator.execute({})
    (folder / "leads.db").unlink()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where targets and temporary files are."""
    connection = {"conn_type": "sqlite", "host": f"{tmp_path}/leads.db"}
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps(connection))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # Airflow looks a connection up in a thread that asgiref makes once and keeps for good.
    asyncio.run(sync_to_async(time.monotonic)())
    return tmp_path


def left_over(before: Belongings) -> dict[str, Any]:
    gc.collect()
    now = belongings()
    return {
        name: [thing for thing in set(held) if held.count(thing) > getattr(before, name).count(thing)]
        for name, held in now._asdict().items()
    }


@pytest.mark.parametrize(
    "read",
    [
        walk, abandoned_walk, snapshot, refused_halfway, reader_that_fails, interrupted, async_find,
        async_refused, async_cancelled, file, file_of_a_read_that_fails, table, table_that_does_not_fit,
    ],
    ids=lambda read: read.__name__,
)  # fmt: skip
def test_nothing_is_left(read: Read, api: SelaApi, hook: SelaHook, folder: Path) -> None:
    before = belongings()
    read(api, hook, folder)
    hook.close()
    nothing: dict[str, list[str]] = {"descriptors": [], "threads": []}
    assert eventually(lambda: left_over(before) == nothing), left_over(before)
    assert files(folder) == []
