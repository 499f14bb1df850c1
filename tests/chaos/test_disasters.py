"""The disk is full, the target is read-only or away: the error says what to do, nothing is half written, and
after the cure a retry heals."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.exceptions import SelaError, SelaTargetUnavailableError
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.testing import Request, Response, SelaApi
from tests.support.databases import Database, DuckDB, Postgres, SQLite
from tests.support.disks import Disk
from tests.support.loads import load
from tests.support.servers import PostgresServer

Target = Callable[[Any], None]


def changed(api: SelaApi) -> int:
    """Change every third lead, so that the next load has something to write."""
    ids = list(api.leads)[::3]
    for number in ids:
        api.update(number, status="LOST", metadata={"note": "x" * 200})
    return len(ids)


def refused(**arguments: Any) -> str:
    """The text of the error of a load that fails."""
    with pytest.raises((SelaError, AirflowFailException)) as caught:
        load(run_id="refused", **arguments)
    return str(caught.value)


def is_whole(database: Database, api: SelaApi) -> bool:
    return {(row["id"], row["status"]) for row in database.table()} == {
        (lead["id"], lead["status"]) for lead in api.leads.values()
    }


def test_a_spool_that_does_not_fit_fails_the_load_before_the_target_is_written(
    list_of_leads: SelaApi, disk: Disk, tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    target(database := DuckDB(tmp_path))
    load(run_id="before")
    before = database.table()
    changed(list_of_leads)
    monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
    assert "is full (ENOSPC): make room there or point TMPDIR to a larger one" in refused()
    assert database.table() == before
    assert disk.empty
    disk.resize("64m")
    assert load(run_id="retry")["changed"] == 667
    assert is_whole(database, list_of_leads)
    assert disk.empty


def fill(disk: Disk) -> Path:
    """Leave no byte free."""
    filler = disk.path / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


@pytest.mark.parametrize("kind", [DuckDB, SQLite])
def test_a_database_file_on_a_full_disk_is_as_it_was(
    kind: Callable[[Path], Database], list_of_leads: SelaApi, disk: Disk, target: Target
) -> None:
    disk.resize("64m")
    target(database := kind(disk.path))
    load(run_id="before")
    before = database.table()
    changed(list_of_leads)
    filler = fill(disk)
    assert "nothing was written" in (told := refused())
    assert "its disk is full, make room there" in told
    assert database.table() == before
    filler.unlink()
    assert load(run_id="retry")["changed"] == 667
    assert is_whole(database, list_of_leads)


def test_a_database_file_on_a_read_only_disk_is_as_it_was(
    list_of_leads: SelaApi, disk: Disk, target: Target
) -> None:
    disk.resize("64m")
    target(database := DuckDB(disk.path))
    load(run_id="before")
    before = database.table()
    changed(list_of_leads)
    disk.read_only(on=True)
    assert "cannot open the database" in (told := refused())
    assert "Read-only file system" in told
    disk.read_only(on=False)
    assert database.table() == before
    assert load(run_id="retry")["changed"] == 667
    assert is_whole(database, list_of_leads)


def test_an_sqlite_file_on_a_read_only_disk_is_as_it_was(
    list_of_leads: SelaApi, disk: Disk, target: Target
) -> None:
    """The one that failed lets go of its lock, too."""
    disk.resize("64m")
    target(database := SQLite(disk.path))
    load(run_id="before")
    before = database.table()
    changed(list_of_leads)
    disk.read_only(on=True)
    assert "it takes no writes" in refused()
    disk.read_only(on=False)
    assert database.table() == before
    assert load(run_id="retry")["changed"] == 667
    assert is_whole(database, list_of_leads)


def to_file(path: Path) -> Any:
    return SelaLeadsOperator(task_id="file", path=str(path)).execute({})


def test_a_file_on_a_full_or_read_only_disk_is_the_one_before(list_of_leads: SelaApi, disk: Disk) -> None:
    def content() -> dict[str, bytes]:
        return {entry.name: entry.read_bytes() for entry in disk.path.iterdir()}

    disk.resize("8m")
    path = disk.path / "leads.jsonl"
    to_file(path)
    before = content()
    changed(list_of_leads)
    disk.resize("3m")
    with pytest.raises(SelaError, match="the disk is full, make room there"):
        to_file(path)
    assert content() == before
    disk.resize("16m")
    disk.read_only(on=True)
    with pytest.raises(AirflowFailException, match="the file system is read-only: choose another place"):
        to_file(path)
    assert content() == before
    disk.read_only(on=False)
    assert to_file(path)["read"] == 2_000
    assert path.read_bytes() != before["leads.jsonl"]


@pytest.mark.server
class TestPostgres:
    """A server that restarts, fills up, or takes no writes."""

    @pytest.fixture
    def database(
        self, postgres_server: PostgresServer, target: Target, request: pytest.FixtureRequest
    ) -> Database:
        database = Postgres(postgres_server.port, f"t{abs(hash(request.node.name))}")
        target(database)
        load(run_id="before")
        return database

    @pytest.fixture
    def list_of_leads(self, list_of_leads: SelaApi) -> SelaApi:
        return list_of_leads

    def test_restarted_while_leads_are_read_the_load_goes_on(
        self, list_of_leads: SelaApi, database: Database, postgres_server: PostgresServer
    ) -> None:
        changed(list_of_leads)
        asked, respond = len(list_of_leads.requests), list_of_leads.respond

        def restarting(request: Request) -> Response:
            if len(list_of_leads.requests) == asked + 5:
                postgres_server.stop()
                postgres_server.start()
            return respond(request)

        list_of_leads.respond = restarting  # type: ignore[method-assign]
        assert load(run_id="after")["changed"] == 667
        assert is_whole(database, list_of_leads)

    def test_restarted_while_leads_land_the_table_is_as_it_was(
        self, list_of_leads: SelaApi, database: Database, postgres_server: PostgresServer
    ) -> None:
        before = database.table()
        changed(list_of_leads)
        with closing(database.connect()) as other:
            # The lock that a load takes once the leads are staged: it stops there.
            other.execute("SELECT pg_advisory_lock(%s)", [0x53656C61])
            other.commit()
            failed: list[BaseException] = []

            def loading() -> None:
                try:
                    load(run_id="refused")
                except SelaTargetUnavailableError as error:
                    failed.append(error)

            thread = threading.Thread(target=loading)
            thread.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            deadline = time.monotonic() + 60
            while database.rows(waiting) != [(1,)]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            postgres_server.stop()
            thread.join(60)
        assert "nothing was written" in str(failed[0])
        assert failed[0].__context__ is None
        postgres_server.start()
        assert database.table() == before
        assert load(run_id="retry")["changed"] == 667
        assert is_whole(database, list_of_leads)

    def test_while_it_is_away_the_error_says_so(
        self, list_of_leads: SelaApi, database: Database, postgres_server: PostgresServer
    ) -> None:
        postgres_server.stop()
        assert "connection 'warehouse': cannot open the database" in refused()
        postgres_server.start()
        assert load(run_id="retry")["unchanged"] == 2_000

    def test_where_no_writing_is_allowed_nothing_is_written(
        self, list_of_leads: SelaApi, database: Database
    ) -> None:
        before = database.table()
        changed(list_of_leads)
        database.run("ALTER ROLE sela SET default_transaction_read_only = on")
        assert "(25006): it takes no writes" in refused()
        with closing(database.connect()) as connection:
            connection.autocommit = True
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE sela RESET default_transaction_read_only")
        assert database.table() == before
        assert load(run_id="retry")["changed"] == 667

    def test_on_a_full_tablespace_the_table_is_as_it_was(
        self,
        list_of_leads: SelaApi,
        database: Postgres,
        postgres_server: PostgresServer,
        disk: Disk,
    ) -> None:
        # The server's account must reach the disk through folders that belong to the tests.
        root = Path(tempfile.gettempdir())
        for parent in disk.path.parents:
            if root in parent.parents:
                parent.chmod(0o755)
        disk.resize("64m")
        if postgres_server.account:
            shutil.chown(disk.path, postgres_server.account)
        space = f"space_{database.schema}"
        with closing(database.connect()) as connection:
            connection.autocommit = True
            connection.execute(f"CREATE TABLESPACE {space} LOCATION '{disk.path}'")
        database.run(f"ALTER TABLE leads SET TABLESPACE {space}")
        before = database.table()
        changed(list_of_leads)
        filler = fill(disk)
        assert "(53100): its disk is full, make room there" in refused()
        assert database.table() == before
        filler.unlink()
        assert load(run_id="retry")["changed"] == 667
        assert is_whole(database, list_of_leads)
        database.run("ALTER TABLE leads SET TABLESPACE pg_default")
        with closing(database.connect()) as connection:
            connection.autocommit = True
            connection.execute(f"DROP TABLESPACE {space}")
