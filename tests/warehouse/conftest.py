from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support import servers
from tests.support.databases import (
    Database,
    DuckDB,
    MariaDB,
    OtherPostgres,
    Postgres,
    Snowflake,
    SQLite,
)
from tests.support.jdbc import H2, HSQLDB

CONN_ID = "warehouse"
_SERIAL = count()
#: Emulated, or reached by way of a JVM: a test takes several times as long there.
_SLOW = ("snowflake", "h2", "hsqldb")
#: Where each database has its own way: types, names, what a killed session leaves, what an error says.
_EVERYWHERE = ("test_crashes.py", "test_leaks.py", "test_merge.py", "test_schema.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a test take one of the slow databases that it has, or each of them, with one set of parameters.

    ``SELA_SETS=all`` lets it take all.
    """
    if os.environ.get("SELA_SETS") == "all":
        return
    slow: dict[str, list[pytest.Item]] = {}
    for item in items:
        named = getattr(item, "callspec", None)
        if (
            item.path.parent != Path(__file__).parent
            or not named
            or named.params.get("database") not in _SLOW
        ):
            continue
        function = item.nodeid.partition("[")[0]
        if item.path.name in _EVERYWHERE:
            function += f"[{named.params['database']}]"
        slow.setdefault(function, []).append(item)
    left_out: set[pytest.Item] = set()
    for function, found in slow.items():
        taken = len(function) % len(found)
        left_out.update(item for place, item in enumerate(found) if place != taken)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    with servers.postgres() as port:
        yield port


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    with servers.mariadb() as port:
        yield port


@pytest.fixture(scope="session")
def h2_port() -> Iterator[int]:
    with servers.h2() as port:
        yield port


@pytest.fixture(scope="session")
def hsqldb_port() -> Iterator[int]:
    with servers.hsqldb() as port:
        yield port


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[tuple[int, Path]]:
    with servers.snowflake() as server:
        yield server


@pytest.fixture(
    params=[
        "duckdb",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.server),
        pytest.param("mariadb", marks=pytest.mark.server),
        pytest.param("snowflake", marks=pytest.mark.server),
        pytest.param("generic", marks=pytest.mark.server),
        pytest.param("h2", marks=pytest.mark.server),
        pytest.param("hsqldb", marks=pytest.mark.server),
    ]
)
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """An empty database of each engine, behind a real Airflow connection."""
    made = make(request, tmp_path)
    monkeypatch.setenv("AIRFLOW__PROVIDERS_ODBC__ALLOW_DRIVER_IN_EXTRA", "True")
    for name in ("PATH", "CLASS"):
        monkeypatch.setenv(f"AIRFLOW__PROVIDERS_JDBC__ALLOW_DRIVER_{name}_IN_EXTRA", "True")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(made.connection))
    if isinstance(made, Snowflake):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.authority))
        # Which cloud a worker runs in is asked for at each login, for a second where there is none.
        monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    yield made
    made.drop()


def make(request: pytest.FixtureRequest, folder: Path) -> Database:
    """Make the database that a test's parameter names."""
    schema = f"t{next(_SERIAL)}"
    match request.param:
        case "duckdb":
            return DuckDB(folder)
        case "sqlite":
            return SQLite(folder)
        case "postgres" | "postgres-psycopg2":
            return Postgres(request.getfixturevalue("postgres_port"), schema)
        case "generic":
            servers.odbc_driver("PostgreSQL Unicode", "odbc-postgresql")
            return OtherPostgres(request.getfixturevalue("postgres_port"), schema)
        case "h2":
            return H2(request.getfixturevalue("h2_port"), schema)
        case "hsqldb":
            return HSQLDB(request.getfixturevalue("hsqldb_port"), schema)
        case "snowflake":
            port, authority = request.getfixturevalue("snowflake_server")
            return Snowflake(port, authority, schema)
        case "mariadb":
            return MariaDB(request.getfixturevalue("mariadb_port"), schema)
        case "mariadb-connector":
            servers.driver("mysql.connector")
            return MariaDB(request.getfixturevalue("mariadb_port"), schema, "mysql-connector-python")
    raise LookupError(request.param)
