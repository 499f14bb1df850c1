"""The worker dies of SIGKILL at a random moment, Airflow retries, and readers never see half a load."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from contextlib import closing

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.chaos import worker
from tests.support.databases import Database, Postgres
from tests.support.loads import load
from tests.support.servers import PostgresServer

pytestmark = pytest.mark.server

#: A night of them is ``SELA_CHAOS_KILLS=100 pytest tests/chaos/test_killed.py``.
KILLS = int(os.environ.get("SELA_CHAOS_KILLS", "3"))


class Reader:
    """Looks at the table again and again while the ``with`` block lasts.

    :ivar seen: what was in the table, as the number of leads by status ``LOST`` or not.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: set[tuple[int, int]] = set()
        self.looks = 0

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join(30)

    def _look(self) -> None:
        with closing(self._database.connect()) as connection:
            connection.autocommit = True
            last = False
            while not last:
                last = self._done.is_set()
                query = "SELECT count(*), count(*) FILTER (WHERE status = 'LOST') FROM leads"
                self.seen.add(connection.execute(query).fetchone())
                self.looks += 1


@pytest.fixture
def database(
    list_of_leads: SelaApi, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Database:
    database = Postgres(postgres_server.port, f"killed_{time.monotonic_ns()}")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    load(run_id="before")
    return database


def test_killed_again_and_again_the_retry_heals_and_nobody_sees_half_a_load(
    list_of_leads: SelaApi, database: Database
) -> None:
    """Each kill comes at a random moment of a load; after one that was over first, they come sooner."""
    dice, killed, looks, turn, latest = random.Random(7), 0, 0, 0, 2.0  # noqa: S311 (repeatable)
    lost = sum(lead["status"] == "LOST" for lead in list_of_leads.leads.values())
    while killed < KILLS:
        for number in list(list_of_leads.leads)[turn::10]:
            lost += list_of_leads.leads[number]["status"] != "LOST"
            list_of_leads.update(number, status="LOST")
        list_of_leads.add({"id": 90_000 + turn, "status": "NEW"})
        with Reader(database) as reader:
            doomed = worker.start("first try")
            doomed.join(dice.uniform(0, latest))
            doomed.kill()
            doomed.join(60)
            assert doomed.exitcode in (0, -signal.SIGKILL)
            healer, begun = worker.start("second try"), time.monotonic()
            healer.join(60)
            assert healer.exitcode == 0
            took = time.monotonic() - begun
        assert len(reader.seen) == 2, reader.seen
        assert max(reader.seen) == (2_001 + turn, lost)
        assert reader.looks > 10
        looks += reader.looks
        rows = {(row["id"], row["status"]) for row in database.table()}
        assert rows == {(lead["id"], lead["status"]) for lead in list_of_leads.leads.values()}
        if doomed.exitcode == -signal.SIGKILL:
            killed, latest = killed + 1, took
        else:
            latest /= 2
        turn += 1
    print(f"{killed} of {turn} loads killed, {looks:,} looks")
