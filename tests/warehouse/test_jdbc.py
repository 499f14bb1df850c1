"""What holds through JDBC beyond the other engines: H2 in its modes, times, names and types of others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sela.api.leads import LEAD_FIELDS
from airflow_provider_sela.exceptions import SelaSetupError, SelaTargetError
from airflow_provider_sela.testing import sample_leads
from airflow_provider_sela.warehouse.landing import check
from airflow_provider_sela.warehouse.registry import engine_for
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.jdbc import H2, HSQLDB, Jdbc
from tests.support.loads import expected, landed, lead, load_leads, moment
from tests.support.servers import driver

pytestmark = pytest.mark.server
on_h2 = pytest.mark.parametrize("database", ["h2"], indirect=True)
on_both = pytest.mark.parametrize("database", ["h2", "hsqldb"], indirect=True)


@pytest.fixture(autouse=True)
def _driver() -> None:
    driver("jaydebeapi", "airflow.providers.jdbc")


def connect_to(monkeypatch: pytest.MonkeyPatch, database: Jdbc, **changes: Any) -> None:
    connection = {**database.connection, **changes}
    connection["extra"] = {**database.connection["extra"], **changes.get("extra", {})}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))


@on_h2
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("speaks", "dialect"), [("Oracle", "oracle"), ("DB2", ""), ("MSSQLServer", ""), ("MySQL", "mysql")]
)
def test_every_mode_lands_in_what_other_databases_speak(
    database: H2, speaks: str, dialect: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.url += f";MODE={speaks}"
    connect_to(monkeypatch, database, extra={"sqlalchemy_scheme": dialect} if dialect else {})
    leads = [*sample_leads(20), lead(99_999, email="Zoë 🏡", metadata={"n": "x" * 100_000})]
    assert load_leads(leads, mode=mode, run_id="a", started=moment(1))["new"] == 21
    second = load_leads(leads, mode=mode, run_id="a", started=moment(2), rejects=[{"no": "id"}])
    assert second["unchanged"] == 21
    changed = [{**item, "status": "CHANGED"} for item in leads[1:]]
    again = load_leads(changed, mode=mode, run_id="a", started=moment(3))
    assert (again["changed"], again["deleted"]) == (20, 1 if mode.removes else 0)
    if not mode.removes:
        marked = load_leads(changed, mode=mode, started=moment(4), deleted_ids=[leads[0]["id"]])
        assert (marked["unchanged"], marked["deleted"]) == (20, 1)
    engine = engine_for("warehouse", "leads")
    with engine:
        names = [engine.dialect.column(name) for name in expected(leads[0])]
        rows = list(engine.select(f"SELECT {', '.join(names)} FROM leads ORDER BY 1"))
    assert len(rows) == {Mode.REPLACE: 20, Mode.APPEND: 20, Mode.MERGE: 21, Mode.HISTORY: 41}[mode]
    assert rows[-1][0] == 99_999


@on_both
def test_times_are_exact_to_the_microsecond_and_stay_where_they_are(database: Jdbc) -> None:
    """Among them the hour that a change of clocks skips, in zones that a JVM could be in."""
    times = [
        "2026-03-29T01:30:00.000001Z", "2026-03-08T02:30:00.100000Z", "2026-10-25T01:30:00.999999Z",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1582-10-10T12:00:00Z",
    ]  # fmt: skip
    leads = [
        lead(number, next_call_time=time, modified_time=times[0]) for number, time in enumerate(times, 1)
    ]
    load_leads(leads)
    assert [landed(row) for row in database.table()] == [expected(item) for item in leads]
    assert load_leads(leads)["unchanged"] == len(leads)


@on_both
def test_the_newer_of_two_versions_is_found_by_a_fraction_of_a_second(database: Jdbc) -> None:
    at, later = "2026-11-01T12:00:00.000001Z", "2026-11-01T12:00:00.000002Z"
    load_leads([lead(1, modified_time=at), lead(2, modified_time=at)], started=moment(2))
    overlapping = [lead(1, modified_time=at, status="OLD"), lead(2, modified_time=later, status="NEW")]
    assert load_leads(overlapping, started=moment(1))["changed"] == 1
    assert [row["status"] for row in database.table()] == [lead(1)["status"], "NEW"]


@on_both
@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (
            "id BIGINT, modified_time TIMESTAMP",
            "modified_time is timestamp, .* make it timestamp.* with time zone",
        ),
        ("id BIGINT, lead_type INTEGER", "column lead_type is integer, .* make it bigint"),
        ("id DECIMAL(18, 0)", r"column id is numeric\(18,0\), .* make it bigint"),
        ("id BIGINT, email VARCHAR(100)", r"column email is varchar\(100\), .* make it clob"),
        ("id BIGINT, email VARCHAR(1000)", "column email is short varchar, .* make it clob"),
        ("id BIGINT, sms_dnc DATE", "column sms_dnc is date, .* make it boolean"),
        ("id BIGINT, email VARCHAR(100) NOT NULL", "column email is NOT NULL"),
        ("id BIGINT GENERATED ALWAYS AS IDENTITY", "takes no INSERT|column id is always generated"),
    ],
)
def test_a_column_that_cannot_hold_every_value_is_refused(
    database: Jdbc, columns: str, complaint: str
) -> None:
    database.run(f"CREATE TABLE leads ({columns})")
    with (
        engine_for("warehouse", "leads") as engine,
        pytest.raises(SelaTargetError, match=f"(?i)table leads.*({complaint})") as told,
    ):
        check(engine, Mode.MERGE)
    assert not told.value.retryable


@on_both
def test_a_view_is_refused(database: Jdbc) -> None:
    database.run("CREATE TABLE people (id BIGINT)")
    database.run("CREATE VIEW leads AS SELECT id FROM people")
    with (
        engine_for("warehouse", "leads") as engine,
        pytest.raises(SelaTargetError, match="table leads: is a view"),
    ):
        check(engine, Mode.MERGE)


@pytest.mark.parametrize(
    "url",
    ["jdbc:h2:mem:leads", "jdbc:hsqldb:mem:leads", "JDBC:sqlite:", "jdbc:sqlite::memory:", "jdbc:duckdb:"],
)
def test_a_database_in_the_workers_memory_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "jdbc", "host": url}))
    with pytest.raises(SelaSetupError, match=r"'warehouse' names no file, .* into Host"):
        load_leads(sample_leads(1))


@on_h2
def test_a_driver_that_is_not_there_is_told_with_the_connection(
    database: H2, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to(monkeypatch, database, extra={"driver_class": "org.nowhere.Driver"})
    with pytest.raises(
        SelaTargetError, match=r"'warehouse': cannot open the database: .*org\.nowhere"
    ) as told:
        load_leads(sample_leads(1))
    assert not told.value.retryable


@on_h2
def test_a_wrong_password_is_told_in_the_databases_words_without_its_stack(
    database: H2, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.cursor():
        connect_to(monkeypatch, database, password="wrong")
        with pytest.raises(SelaTargetError, match=r"\(28000\): .*Wrong user name or password") as told:
            load_leads(sample_leads(1))
    assert not told.value.retryable
    assert "\tat " not in str(told.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("jdbc:postgresql://db/crm", "postgresql"),
        ("jdbc:sqlserver://db:1433;databaseName=crm", "mssql"),
        ("jdbc:oracle:thin:@//db:1521/crm", "oracle"),
        ("jdbc:mysql://db/crm", "mysql"),
        ("jdbc:db2://db:50000/crm", "default"),
    ],
)
def test_a_database_is_spoken_to_in_its_own_words_by_the_url_alone(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "jdbc", "host": url}))
    engine: Any = engine_for("warehouse", "leads")
    assert engine.dialect.sqlalchemy.name == name


@on_h2
def test_a_database_whose_catalogue_does_not_say_what_is_generated_is_loaded(
    database: H2, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.url += ";OLD_INFORMATION_SCHEMA=TRUE"
    connect_to(monkeypatch, database)
    for status in ("OPEN", "LOST"):
        load_leads([lead(1, status=status)])
    assert [row["status"] for row in database.table()] == ["LOST"]


@on_h2
def test_a_column_of_a_type_that_the_standard_does_not_know_is_left_to_the_database(database: H2) -> None:
    load_leads([lead(1)])
    database.run("ALTER TABLE leads ADD COLUMN place GEOMETRY")
    with engine_for("warehouse", "leads") as engine:
        place = (engine.columns(engine.target) or {})["place"]
        assert all(engine.dialect.accepts(field, place) for field in LEAD_FIELDS)
    assert load_leads([lead(1)])["unchanged"] == 1


@on_both
def test_a_statement_without_rows_describes_none(database: Jdbc) -> None:
    with engine_for("warehouse", "leads") as engine:
        assert engine.cursor.description is None


def test_both_servers_are_what_they_are_called(h2_port: int, hsqldb_port: int) -> None:
    assert H2(h2_port, "one").rows("SELECT H2VERSION()")[0][0].startswith("2.")
    assert HSQLDB(hsqldb_port, "one").rows("VALUES (DATABASE_VERSION())")[0][0].startswith("2.")
