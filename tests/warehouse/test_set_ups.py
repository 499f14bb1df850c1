"""Servers, roles and tables as people set them up: a load holds, or says before the first request why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetError, SelaTargetUnavailableError
from airflow_provider_sela.testing import SelaApi, sample_leads
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support import servers
from tests.support.databases import Database, DuckDB, MariaDB, Postgres, SQLite
from tests.support.loads import lead, load, load_leads
from tests.support.pooler import pgbouncer

postgres = pytest.mark.parametrize(
    "database", [pytest.param("postgres", marks=pytest.mark.server)], indirect=True
)
mariadb = pytest.mark.parametrize(
    "database", [pytest.param("mariadb", marks=pytest.mark.server)], indirect=True
)
sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
duckdb = pytest.mark.parametrize("database", ["duckdb"], indirect=True)
keyed = pytest.mark.parametrize(
    "database",
    [
        "duckdb",
        "sqlite",
        *(pytest.param(name, marks=pytest.mark.server) for name in ("postgres", "mariadb", "h2", "hsqldb")),
    ],
    indirect=True,
)

LEADS = sample_leads(10)
LATER = [*({**item, "status": "LOST"} for item in LEADS[:2]), *LEADS[2:], lead(99_999)]


def connect_with(monkeypatch: pytest.MonkeyPatch, database: Database, **changes: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**database.connection, **changes}))


def looked_at(mode: Mode = Mode.MERGE) -> None:
    """What happens before the first request."""
    with engine_for("warehouse", "leads") as engine:
        check(engine, mode)


def lands_and_lands_again() -> None:
    assert load_leads(LEADS)["new"] == 10
    result = load_leads(LATER)
    assert (result["new"], result["changed"], result["unchanged"]) == (1, 2, 8)


class TestKeys:
    """Keys of a table that somebody else made."""

    @keyed
    @pytest.mark.parametrize("mode", [Mode.HISTORY, Mode.APPEND])
    def test_a_table_that_allows_one_row_for_a_lead_is_refused_where_the_mode_has_more(
        self, database: Database, mode: Mode
    ) -> None:
        """The first load would pass and each one after it fail."""
        database.run(f"CREATE TABLE leads (id {database.bigint} PRIMARY KEY)")
        with pytest.raises(SelaTargetError, match=rf"id is unique, and mode {mode} has several") as told:
            looked_at(mode)
        assert not told.value.retryable

    @keyed
    def test_a_unique_index_counts_as_a_key_does(self, database: Database) -> None:
        database.run(f"CREATE TABLE leads (id {database.bigint}, own {database.bigint})")
        database.run("CREATE UNIQUE INDEX one ON leads (id)")
        with pytest.raises(SelaTargetError, match="id is unique, and mode history has several"):
            looked_at(Mode.HISTORY)
        lands_and_lands_again()

    @keyed
    def test_a_narrow_key_is_found_behind_a_wide_one(self, database: Database) -> None:
        wide = f"_sela_valid_from {database.timestamp}, PRIMARY KEY (id, _sela_valid_from)"
        database.run(f"CREATE TABLE leads (id {database.bigint} NOT NULL UNIQUE, {wide})")
        with pytest.raises(SelaTargetError, match="id is unique, and mode history has several"):
            looked_at(Mode.HISTORY)

    @pytest.mark.parametrize(
        "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.server)], indirect=True
    )
    def test_one_version_that_holds_for_each_lead_may_be_demanded(self, database: Database) -> None:
        database.run(f"CREATE TABLE leads (id {database.bigint}, _sela_valid_to {database.timestamp})")
        database.run("CREATE UNIQUE INDEX one ON leads (id) WHERE _sela_valid_to IS NULL")
        assert load_leads(LEADS, mode=Mode.HISTORY)["new"] == 10
        assert load_leads(LATER, mode=Mode.HISTORY)["changed"] == 2

    @sqlite
    def test_a_key_that_replaces_rows_in_silence_loses_no_version(self, database: SQLite) -> None:
        database.run("CREATE TABLE leads (id INTEGER PRIMARY KEY ON CONFLICT REPLACE)")
        with pytest.raises(SelaTargetError, match="id is unique"):
            load_leads(LEADS, mode=Mode.HISTORY)

    @pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE])
    def test_a_table_that_holds_a_lead_twice_is_refused(
        self, database: Database, mode: Mode, api: SelaApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both rows would be taken for one lead's, or be counted as two."""
        from airflow.providers.common.compat.sdk import AirflowFailException

        database.run(f"CREATE TABLE leads (id {database.bigint}, email {database.text})")
        for key in (7, 7, 8, 8, 8, 9):
            database.run(f"INSERT INTO leads (id) VALUES ({key})")
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        with pytest.raises(AirflowFailException, match=r"3 of its rows repeat the id of another, and mode"):
            load(mode=str(mode))
        assert api.requests == []
        assert database.rows("SELECT COUNT(*) FROM leads") == [(6,)]

    @sqlite
    def test_a_history_and_rows_without_an_id_are_no_repetition(self, database: SQLite) -> None:
        database.run("CREATE TABLE leads (id INTEGER, email TEXT)")
        database.run("INSERT INTO leads (email) VALUES ('a'), ('b')")
        lands_and_lands_again()
        for leads in (LEADS, LATER):
            load_leads(leads, table="versions", mode=Mode.HISTORY)
        assert database.rows("SELECT COUNT(*) FROM versions WHERE _sela_valid_to IS NULL") == [(11,)]


jdbc = pytest.mark.parametrize(
    "database", [pytest.param(name, marks=pytest.mark.server) for name in ("h2", "hsqldb")], indirect=True
)


class TestJdbc:
    """Columns of the user's own, as a JDBC driver tells of them."""

    @jdbc
    def test_a_column_that_must_be_filled_is_told_before_the_first_request(self, database: Database) -> None:
        database.run("CREATE TABLE leads (id BIGINT PRIMARY KEY, owner INTEGER NOT NULL)")
        with pytest.raises(SelaTargetError, match=r"(?i)column owner is NOT NULL"):
            looked_at()

    @jdbc
    def test_a_column_that_fills_itself_is_left_alone(self, database: Database) -> None:
        database.run(
            "CREATE TABLE leads (id BIGINT PRIMARY KEY, owner INTEGER DEFAULT 3 NOT NULL,"
            " number INTEGER GENERATED ALWAYS AS IDENTITY)"
        )
        database.run("CREATE SCHEMA elsewhere")
        database.run("CREATE TABLE elsewhere.leads (id BIGINT PRIMARY KEY, owner INTEGER NOT NULL)")
        lands_and_lands_again()
        assert database.rows("SELECT COUNT(*), MIN(owner) FROM leads") == [(11, 3)]


@contextmanager
def role_set_to(database: Postgres, setting: str) -> Iterator[None]:
    database.run(f"ALTER ROLE sela IN DATABASE postgres SET {setting}")
    try:
        yield
    finally:
        with closing(database.connect()) as connection:
            connection.autocommit = True
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE sela IN DATABASE postgres RESET ALL")


class TestPostgres:
    """PostgreSQL, as roles and tables of it are set up."""

    @postgres
    def test_a_role_that_may_only_read_is_told_before_the_first_request(self, database: Postgres) -> None:
        """No table is there yet that could be tried."""
        with (
            role_set_to(database, "default_transaction_read_only = on"),
            pytest.raises(SelaTargetError, match=r"set to transaction_read_only .*takes no writes") as told,
        ):
            looked_at()
        assert not told.value.retryable

    @postgres
    def test_a_standby_is_told_before_the_first_request_and_may_be_the_primary_later(
        self, database: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.run(
            f"CREATE FUNCTION {database.schema}.pg_is_in_recovery() RETURNS boolean LANGUAGE sql"
            " AS 'SELECT true'"
        )
        path = f"-c search_path={database.schema},pg_catalog -c default_transaction_read_only=on"
        connect_with(monkeypatch, database, extra={"options": path})
        with pytest.raises(SelaTargetUnavailableError, match=r"is a standby \(25006\): it takes no writes"):
            looked_at()

    @postgres
    @pytest.mark.parametrize(
        "setting",
        [
            "default_transaction_isolation = serializable",
            "idle_in_transaction_session_timeout = 100",
            "session_replication_role = replica",
            "temp_file_limit = 0",
            "row_security = off",
            "client_min_messages = debug5",
            "transform_null_equals = on",
            "plan_cache_mode = force_generic_plan",
        ],
    )
    def test_what_a_role_sets_for_its_sessions_keeps_no_load_out(
        self, database: Postgres, setting: str
    ) -> None:
        with role_set_to(database, setting):
            lands_and_lands_again()

    @postgres
    def test_a_column_of_a_domain_that_must_not_be_null_is_told(self, database: Postgres) -> None:
        database.run("CREATE DOMAIN owner AS text NOT NULL; CREATE TABLE leads (id bigint, own owner)")
        with pytest.raises(SelaTargetError, match="column own is NOT NULL"):
            looked_at()

    @postgres
    def test_a_domain_with_a_default_fills_its_column(self, database: Postgres) -> None:
        database.run("CREATE DOMAIN owner AS text NOT NULL DEFAULT 'nobody'")
        database.run("CREATE TABLE leads (id bigint, own owner)")
        lands_and_lands_again()
        assert {row["own"] for row in database.table()} == {"nobody"}

    @postgres
    def test_rows_move_between_partitions(self, database: Postgres) -> None:
        database.run("CREATE TABLE leads (id bigint, status text) PARTITION BY LIST (status)")
        database.run("CREATE TABLE lost PARTITION OF leads FOR VALUES IN ('LOST')")
        database.run("CREATE TABLE others PARTITION OF leads DEFAULT")
        lands_and_lands_again()
        lost = {row["id"] for row in LATER if row["status"] == "LOST"}
        assert {key for (key,) in database.rows("SELECT id FROM lost")} == lost != set()
        assert len(lost & {row["id"] for row in LEADS if row["status"] != "LOST"}) == 2

    @postgres
    def test_a_lead_that_fits_no_partition_fails_the_load_for_good(self, database: Postgres) -> None:
        database.run("CREATE TABLE leads (id bigint) PARTITION BY RANGE (id)")
        with pytest.raises(SelaTargetError, match=r"\(23514\); table leads") as told:
            load_leads(LEADS)
        assert not told.value.retryable

    @postgres
    @pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
    def test_a_rule_of_the_table_is_told_by_its_name_and_without_the_row(
        self, database: Postgres, driver: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if driver == "psycopg2":
            monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
        database.run("CREATE TABLE leads (id bigint, email text CONSTRAINT one_mail UNIQUE)")
        with pytest.raises(SelaTargetError, match="table leads, constraint one_mail") as told:
            load_leads([lead(1, email="kim@example.com"), lead(2, email="kim@example.com")])
        assert "kim" not in str(told.value)

    @postgres
    def test_rows_that_refer_to_leads_are_told(self, database: Postgres) -> None:
        load_leads(LEADS, mode=Mode.REPLACE)
        database.run("CREATE TABLE notes (lead bigint CONSTRAINT of_lead REFERENCES leads)")
        database.run(f"INSERT INTO notes VALUES ({LEADS[9]['id']})")
        before = database.table()
        with pytest.raises(SelaTargetError, match=r"rows of another table refer .*constraint of_lead"):
            load_leads(LEADS[:9], mode=Mode.REPLACE)
        assert database.table() == before

    @postgres
    def test_what_a_trigger_refuses_it_would_refuse_again(self, database: Postgres) -> None:
        load_leads(LEADS)
        database.run(
            "CREATE FUNCTION strict() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'not %', NEW.email; END $$"
        )
        database.run("CREATE TRIGGER strict BEFORE UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION strict()")
        with pytest.raises(SelaTargetError, match=r"P0001.*: a trigger of the table refuses a row") as told:
            load_leads(LATER)
        assert not told.value.retryable

    @postgres
    def test_a_table_that_is_replicated_without_a_key_is_told(self, database: Postgres) -> None:
        load_leads(LEADS)
        database.run("ALTER TABLE leads DROP CONSTRAINT leads_pkey")
        database.run(f"CREATE PUBLICATION of_{database.schema} FOR TABLE leads")
        with pytest.raises(SelaTargetError, match=r"takes no UPDATE: .*does not have a replica identity"):
            looked_at()

    @postgres
    def test_a_time_limit_is_told_with_its_name(
        self, database: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = f"-c search_path={database.schema} -c statement_timeout=200"
        connect_with(monkeypatch, database, extra={"options": options})
        with closing(database.connect()) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [0x53656C61])
            with pytest.raises(SelaTargetUnavailableError, match=r"\(57014\): a time limit"):
                load_leads(LEADS)

    @postgres
    @pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
    @pytest.mark.parametrize(
        ("pooled", "changes", "words"),
        [
            (True, {"extra": {"options": "-c search_path=x"}}, "unsupported startup parameter: options"),
            (True, {"schema": "nowhere"}, 'database "nowhere" does not exist'),
            (False, {"extra": {"options": "-c nosuch=1"}}, "unrecognized configuration parameter"),
            (False, {"extra": {"options": "-c statement_timeout=soon"}}, "invalid value for parameter"),
            (False, {"extra": {"sslmode": "require"}}, "server does not support SSL"),
            (False, {"extra": {"sslmode": "always"}}, "invalid sslmode value"),
        ],
    )
    def test_a_connection_that_no_retry_can_open_is_told_so(
        self,
        database: Postgres,
        driver: str,
        pooled: bool,
        changes: dict[str, Any],
        words: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if driver == "psycopg2":
            monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
        with pgbouncer(database.port) as port:
            connect_with(
                monkeypatch, database, **{"extra": {}, **changes, "port": port if pooled else database.port}
            )
            with pytest.raises(SelaTargetError, match=f"cannot open the database: .*{words}") as told:
                looked_at()
        assert not told.value.retryable


@contextmanager
def set_to(database: MariaDB, name: str, value: str) -> Iterator[None]:
    ((before,),) = database.rows(f"SELECT @@GLOBAL.{name}")
    database.run(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("SET SESSION sql_big_selects = 1, SESSION tx_read_only = 0")
            cursor.execute(f"SET GLOBAL {name} = %s", [before])


class TestMariaDB:
    """MariaDB, as hosts and its own options set it up."""

    @mariadb
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("sql_select_limit", "3"),
            ("max_join_size", "5"),
            ("sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'"),
            ("sql_mode", "ORACLE"),
            ("tx_isolation", "'READ-COMMITTED'"),
            ("autocommit", "0"),
            ("completion_type", "1"),
            ("init_connect", "'SET NAMES latin1'"),
            ("innodb_default_row_format", "compact"),
            ("wait_timeout", "1"),
            ("time_zone", "'+05:45'"),
        ],
    )
    def test_what_a_server_sets_for_its_sessions_keeps_no_load_out(
        self, database: MariaDB, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = f"u{database.schema}"
        database.run(f"CREATE USER {user}@'127.0.0.1'")
        database.run(f"GRANT ALL ON {database.schema}.* TO {user}@'127.0.0.1'")
        connect_with(monkeypatch, database, login=user)
        with set_to(database, name, value):
            lands_and_lands_again()
            gone = [item["id"] for item in LEADS[2:]]
            assert load_leads(LATER[:2], deleted_ids=gone)["deleted"] == 8
        database.run(f"DROP USER {user}@'127.0.0.1'")

    @mariadb
    def test_no_lead_of_a_table_is_overlooked_where_answers_are_cut_off(self, database: MariaDB) -> None:
        load_leads(LEADS)
        with set_to(database, "sql_select_limit", "3"), engine_for("warehouse", "leads") as engine:
            assert len(list(engine.live_ids(Mode.MERGE))) == 10

    @pytest.mark.server
    @pytest.mark.parametrize("client", ["mysqlclient", "mysql-connector-python"])
    def test_a_binary_log_of_statements_keeps_no_load_out(
        self, client: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = ["--log-bin=log", "--server-id=1", "--binlog-format=STATEMENT"]
        with servers.mariadb(*log, "--transaction-isolation=READ-COMMITTED") as port:
            database = MariaDB(port, "logged", client)
            connect_with(monkeypatch, database)
            lands_and_lands_again()

    @pytest.mark.server
    @pytest.mark.parametrize("client", ["mysqlclient", "mysql-connector-python"])
    def test_a_server_with_small_packets_takes_a_load_or_says_what_to_raise(
        self, client: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with servers.mariadb("--max-allowed-packet=1M") as port:
            connect_with(monkeypatch, MariaDB(port, "small", client))
            many = [lead(number, metadata={"note": "'\"\\" * 10_000}) for number in range(60)]
            assert load_leads(many)["new"] == 60
            with pytest.raises(SelaTargetError, match=r"more than the server's max_allowed_packet") as told:
                load_leads([lead(1, metadata={"note": "x" * 2_000_000})])
        assert not told.value.retryable
        assert told.value.__context__ is None

    @mariadb
    def test_sessions_that_may_only_read_are_told_before_the_first_request(self, database: MariaDB) -> None:
        with (
            set_to(database, "tx_read_only", "1"),
            pytest.raises(SelaTargetError, match="has tx_read_only on: it takes no writes") as told,
        ):
            looked_at()
        assert not told.value.retryable

    @mariadb
    def test_a_replica_is_told_before_the_first_request_to_those_whom_it_refuses(
        self, database: MariaDB, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = f"u{database.schema}"
        database.run(f"CREATE USER {user}@'127.0.0.1'")
        database.run(f"GRANT ALL ON {database.schema}.* TO {user}@'127.0.0.1'")
        with set_to(database, "read_only", "1"):
            looked_at()
            connect_with(monkeypatch, database, login=user)
            with pytest.raises(SelaTargetUnavailableError, match=r"\(1290\): it takes no writes"):
                looked_at()
        database.run(f"DROP USER {user}@'127.0.0.1'")

    @pytest.mark.server
    def test_a_server_that_only_reads_its_files_is_told_before_the_first_request(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with servers.mariadb("--innodb-read-only") as port:
            connect_with(monkeypatch, MariaDB(port, "leads"))
            with pytest.raises(SelaTargetUnavailableError, match="has innodb_read_only on: it takes no"):
                looked_at()

    @mariadb
    def test_a_table_with_a_history_of_its_own_takes_leads_once_it_has_the_columns(
        self, database: MariaDB
    ) -> None:
        database.run("CREATE TABLE leads (id BIGINT) WITH SYSTEM VERSIONING")
        with pytest.raises(SelaTargetError, match="lacks columns, and the server keeps the history"):
            looked_at()
        with set_to(database, "system_versioning_alter_history", "KEEP"):
            lands_and_lands_again()
        assert load_leads(LATER)["unchanged"] == 11

    @mariadb
    def test_a_row_format_without_room_is_told(self, database: MariaDB) -> None:
        database.run("CREATE TABLE leads (id BIGINT) ROW_FORMAT=COMPACT")
        with pytest.raises(SelaTargetError, match="its row format Compact has no room: ALTER TABLE"):
            looked_at()

    @mariadb
    @pytest.mark.parametrize(
        ("made", "code"),
        [
            ("PARTITION BY RANGE (id) (PARTITION few VALUES LESS THAN (9))", "1526"),
            ("; CREATE TRIGGER t BEFORE INSERT ON leads FOR EACH ROW SIGNAL SQLSTATE '45000'", "1644"),
            ("; CREATE DEFINER=gone@x TRIGGER t BEFORE INSERT ON leads FOR EACH ROW SET @a = 1", "1449"),
        ],
    )
    @pytest.mark.parametrize("client", ["mysqlclient", "mysql-connector-python"])
    def test_what_a_table_refuses_it_would_refuse_again(
        self, database: MariaDB, made: str, code: str, client: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for statement in f"CREATE TABLE leads (id BIGINT) {made}".split(";"):
            database.run(statement)
        connect_with(monkeypatch, database, extra={"client": client})
        with pytest.raises(SelaTargetError, match=rf"\(({code}|45000)\)") as told:
            load_leads(LEADS)
        assert not told.value.retryable


class TestSQLite:
    """SQLite, where files and folders are not as a load needs them."""

    @sqlite
    @pytest.mark.parametrize("made", [False, True])
    def test_a_file_that_is_opened_for_reading_only_is_told_before_the_first_request(
        self, database: SQLite, made: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.run("CREATE TABLE other (id INTEGER)")
        if made:
            load_leads(LEADS)
        connect_with(monkeypatch, database, extra={"mode": "ro"})
        with pytest.raises(SelaTargetError, match=r"READONLY\): it takes no writes") as told:
            looked_at()
        assert not told.value.retryable

    @sqlite
    def test_a_folder_that_is_not_there_is_told_and_not_retried(
        self, database: SQLite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect_with(monkeypatch, database, host=str(database.path / "nowhere" / "leads.sqlite"))
        with pytest.raises(SelaTargetError, match="the folder must be there, and writable") as told:
            looked_at()
        assert not told.value.retryable

    @sqlite
    def test_a_file_that_somebody_writes_just_now_is_looked_at_all_the_same(self, database: SQLite) -> None:
        load_leads(LEADS)
        with closing(database.connect()) as other:
            other.execute("BEGIN IMMEDIATE")
            looked_at()

    @sqlite
    @pytest.mark.parametrize("journal", ["WAL", "DELETE"])
    def test_looking_changes_no_byte_of_the_file(self, database: SQLite, journal: str) -> None:
        database.run(f"PRAGMA journal_mode = {journal}")
        database.run("CREATE TABLE other (id INTEGER)")
        before = database.path.read_bytes()
        looked_at()
        assert database.path.read_bytes() == before


class TestDuckDB:
    """DuckDB, where files and settings are not as a load needs them."""

    @duckdb
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "No such file or directory"),
            (b"", "Is a directory"),
            (b"no database\n" * 1000, "not a valid DuckDB database file"),
        ],
    )
    def test_a_file_that_no_retry_can_open_is_told_so(
        self, database: DuckDB, content: bytes | None, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = database.path.parent / "other"
        if content is None:
            path = path / "leads.duckdb"
        elif content:
            path.write_bytes(content)
        else:
            path.mkdir()
        connect_with(monkeypatch, database, host=str(path))
        with pytest.raises(SelaTargetError, match=words) as told:
            looked_at()
        assert not told.value.retryable

    @duckdb
    def test_a_file_for_reading_is_told_where_the_table_is_still_to_be_made(
        self, database: DuckDB, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.run("CREATE TABLE other (id INTEGER)")
        connect_with(monkeypatch, database, extra={"read_only": True})
        with pytest.raises(SelaTargetError, match="opened read-only: take read_only out of Extra"):
            looked_at()

    @duckdb
    def test_a_database_that_may_read_no_files_is_told_before_the_first_request(
        self, database: DuckDB, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect_with(monkeypatch, database, extra={"settings": {"enable_external_access": "false"}})
        with pytest.raises(SelaTargetError, match=r"may read no files, .* allow enable_external_access"):
            looked_at()

    @duckdb
    def test_what_a_crash_left_beside_the_file_is_no_danger(self, database: DuckDB) -> None:
        load_leads(LEADS)
        crash = (
            "import duckdb, os; database = duckdb.connect(os.sys.argv[1]);"
            " database.execute('PRAGMA disable_checkpoint_on_shutdown');"
            " database.execute('CREATE TABLE other (id INTEGER)'); os._exit(9)"
        )
        subprocess.run([sys.executable, "-c", crash, str(database.path)], check=False, env={**os.environ})
        assert Path(f"{database.path}.wal").exists()
        assert load_leads(LATER)["changed"] == 2
        assert "other" in database.tables()


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
@pytest.mark.parametrize("host", ["leads.db", "./leads.db", "~/leads.db", "data/leads.db"])
def test_a_file_whose_place_depends_on_the_worker_is_refused(
    kind: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": kind, "host": host}))
    with pytest.raises(SelaSetupError, match=r"'warehouse': Host is a path .* write it in full"):
        looked_at()
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]
