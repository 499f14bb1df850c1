"""What a database says when it refuses a row quotes the row: none of it may be seen; on every engine."""

from __future__ import annotations

import logging
import traceback
from typing import cast

import pytest

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.storage.csv_lines import csv_cells
from airflow_provider_sela.storage.spool import Spool, Tell
from airflow_provider_sela.warehouse.dialect import CsvDialect
from airflow_provider_sela.warehouse.landing import land
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import DIGEST, HASH, Load, TaskRun
from tests.support.databases import Database
from tests.support.errors import chain
from tests.support.loads import lead, load_leads, moment, stats
from tests.support.spooling import add

PLANTED = "deep.sorrow@example.com"


def only_one_of_each_email(database: Database) -> None:
    """Make a rule that the table's rows can break; one of each run, where long texts have no index."""
    if database.name == "snowflake":
        pytest.skip("Snowflake enforces NOT NULL only, which is refused before; see the next test")
    column = {"mariadb": "email(100)", "h2": "_sela_run_id", "hsqldb": "_sela_run_id"}
    database.run(f"CREATE UNIQUE INDEX only_one ON leads ({column.get(database.name, 'email')})")


def assert_nothing_leaked(error: BaseException, *outputs: str) -> None:
    assert chain(error) == [error]
    for text in (str(error), repr(error), "".join(traceback.format_exception(error)), *outputs):
        assert "sorrow" not in text.lower()


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("airflow", "airflow_provider_sela", "duckdb", "mysql", "psycopg", "snowflake", "sqlalchemy"):
        caplog.set_level(logging.DEBUG, logger=name)


def test_a_row_that_breaks_a_rule_of_the_table_is_not_quoted(
    database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    load_leads([])
    only_one_of_each_email(database)
    with pytest.raises(SelaTargetError, match="nothing was written") as caught:
        load_leads([lead(1, email=PLANTED), lead(2, email=PLANTED)])
    # Where loads do not queue, another one may have written that row, and the next try updates it.
    assert caught.value.retryable is not database.queued
    assert_nothing_leaked(caught.value, caplog.text, *capfd.readouterr())
    assert database.table() == []


@pytest.mark.parametrize("field", ["id", "metadata", "modified_time"])
def test_a_value_that_cannot_be_staged_is_not_quoted(
    database: Database, field: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No lead can do this; a defect of ours could."""
    engine = engine_for("warehouse", "leads")

    def broken(item: RawLead, tell: Tell) -> bytes:
        values = {**item.row().values, field: PLANTED, HASH: "0", DIGEST: None}
        if isinstance(engine.dialect, CsvDialect):
            return csv_cells(values.values())
        return engine.dialect.spool_line(values)

    with Spool(broken) as spool:
        add(spool, cast(Lead, lead(1)))
        if field != "id" and database.name in ("sqlite", "generic", "h2", "hsqldb"):
            pytest.skip("the column takes any text")
        with engine, pytest.raises(SelaTargetError, match="nothing was written") as caught:
            land(engine, spool, Load(TaskRun("run"), stats(spool, moment(1))))
    # The emulation of Snowflake calls JSON that is none an internal error.
    assert caught.value.retryable is (database.name == "snowflake" and field == "metadata")
    assert_nothing_leaked(caught.value, caplog.text, *capfd.readouterr())
    if database.transactional_ddl:
        assert database.tables() == set()


def test_the_failure_names_its_class_and_code(database: Database) -> None:
    load_leads([])
    only_one_of_each_email(database)
    expected = {
        "duckdb": r"ConstraintException",
        "sqlite": r"sqlite3.IntegrityError \(SQLITE_CONSTRAINT_UNIQUE\)",
        "postgres": r"UniqueViolation \(23505\)",
        "mariadb": r"IntegrityError \(1062\)",
        "generic": r"pyodbc.IntegrityError \(23505\)",
        "h2": r"org.h2.jdbc.JdbcBatchUpdateException \(23505\)",
        "hsqldb": r"java.sql.BatchUpdateException \(23505\)",
    }
    with pytest.raises(SelaTargetError, match=expected[database.name]):
        load_leads([lead(1, email=PLANTED), lead(2, email=PLANTED)])


def test_a_load_that_goes_well_logs_no_lead(
    database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    load_leads([lead(1, email=PLANTED)], rejects=[{"email": PLANTED}])
    load_leads([lead(1, email=PLANTED, status="LOST")], deleted_ids=[1])
    for text in (caplog.text, *capfd.readouterr()):
        assert "sorrow" not in text
