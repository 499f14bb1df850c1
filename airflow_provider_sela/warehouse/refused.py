"""Databases that cannot keep the promises of a load, each with the way that leads there all the same."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow_provider_sela.exceptions import SelaSetupError, of_connection

_NO_TRANSACTION = "it has no transaction that could take a load back"
_NO_LOAD_IN_ONE = "its connection writes outside of a transaction over several statements"
_NO_KEYS = "it does not enforce keys, and a load that fails or runs twice could leave leads twice"


class Refused(NamedTuple):
    """A database that is refused.

    :param name: as its maker calls it.
    :param reason: which promise it cannot keep.
    :param load: how it loads Parquet files by itself.
    :param types: Airflow's connection types, and SQLAlchemy's and JDBC's names, in lower case.
    :param hooks: names of Airflow's hook classes.
    :param hosts: ends of its host names, where another database's connection type can reach it.
    """

    name: str
    reason: str
    load: str
    types: frozenset[str]
    hooks: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ()


#: What a user may connect to by Airflow and what a load must not be written to.
REFUSED = (
    Refused(
        "Amazon Athena",
        _NO_TRANSACTION,
        "a table over the files",
        frozenset({"athena", "awsathena"}),
        frozenset({"AthenaSQLHook", "AthenaHook"}),
    ),
    Refused(
        "Amazon Redshift",
        f"{_NO_KEYS}; its TEXT holds 256 bytes",
        "S3ToRedshiftOperator",
        frozenset({"redshift"}),
        frozenset({"RedshiftSQLHook"}),
        (".redshift.amazonaws.com", ".redshift-serverless.amazonaws.com", ".redshift.amazonaws.com.cn"),
    ),
    Refused(
        "Apache Hive, Impala or Spark SQL",
        _NO_TRANSACTION,
        "a table over the files",
        frozenset({"hiveserver2", "hive_cli", "hive", "hive2", "impala", "spark_sql", "spark"}),
        frozenset({"HiveServer2Hook", "ImpalaHook"}),
    ),
    Refused(
        "ClickHouse",
        _NO_TRANSACTION,
        "INSERT INTO … SELECT FROM s3()",
        frozenset({"clickhouse", "clickhousedb", "ch"}),
        frozenset({"ClickHouseHook", "ClickHouseDbApiHook"}),
    ),
    Refused(
        "Databricks",
        _NO_LOAD_IN_ONE,
        "DatabricksCopyIntoOperator",
        frozenset({"databricks"}),
        frozenset({"DatabricksSqlHook", "DatabricksHook"}),
        (".cloud.databricks.com", ".azuredatabricks.net", ".gcp.databricks.com"),
    ),
    Refused(
        "Druid, Pinot, Drill or Elasticsearch",
        _NO_TRANSACTION,
        "its own ingestion",
        frozenset({"druid", "pinot", "pinot_admin", "drill", "elasticsearch"}),
        frozenset({"DruidDbApiHook", "PinotDbApiHook", "DrillHook", "ElasticsearchSQLHook"}),
    ),
    Refused(
        "Exasol",
        "its connection has no cursor, and it does not enforce keys by itself",
        "IMPORT INTO … FROM PARQUET",
        frozenset({"exasol", "exa"}),
        frozenset({"ExasolHook"}),
    ),
    Refused(
        "Google BigQuery",
        _NO_LOAD_IN_ONE,
        "GCSToBigQueryOperator",
        frozenset({"gcpbigquery", "google_cloud_platform", "bigquery"}),
        frozenset({"BigQueryHook"}),
    ),
    Refused(
        "Microsoft Fabric or Azure Synapse",
        _NO_KEYS,
        "COPY INTO",
        frozenset({"fabric", "microsoft_fabric", "synapse"}),
        frozenset({"FabricHook"}),
        (
            ".datawarehouse.fabric.microsoft.com",
            ".datawarehouse.pbidedicated.windows.net",
            ".sql.azuresynapse.net",
        ),
    ),
    Refused(
        "Trino or Presto",
        "a statement is committed when it ends, and a ROLLBACK raises",
        "a table over the files",
        frozenset({"trino", "presto"}),
        frozenset({"TrinoHook", "PrestoHook"}),
    ),
    Refused(
        "Vertica",
        _NO_KEYS,
        "COPY … FROM … PARQUET",
        frozenset({"vertica"}),
        frozenset({"VerticaHook"}),
    ),
)


def refuse(connection: Any, hook: Any = None) -> None:
    """Refuse a connection to one of :data:`REFUSED`, however it is spelled.

    :param connection: Airflow connection.
    :param hook: its hook, whose class tells what a connection type of somebody's own does not.
    :raises SelaSetupError: with the reason and the way out.
    """
    types, host = _types(connection), _host(connection)
    hooks = {kind.__name__ for kind in type(hook).__mro__}
    for database in REFUSED:
        if types & database.types or hooks & database.hooks or host.endswith(database.hosts or "\n"):
            raise SelaSetupError(
                f"connection {connection.conn_id!r} is to {database.name}, which cannot keep a load's"
                f" promises: {database.reason}. Write Parquet files with SelaLeadsOperator and load them by"
                f" {database.load}; or use sela_leads() of airflow_provider_sela.dlt, if dlt has that"
                " destination"
            )


def in_memory(conn_id: str) -> SelaSetupError:
    """The error of a connection whose database ends with the connection."""
    return SelaSetupError(
        f"connection {conn_id!r} names no file, so its tables would vanish with the task: put the path of a"
        " database file into Host"
    )


def refuse_relative(connection: Any) -> None:
    """Refuse a file that each worker would look for in a place of its own.

    :param connection: Airflow connection whose Host is a local path, or holds a colon.
    :raises SelaSetupError: the path is relative, or begins with ``~``.
    """
    host = connection.host or ""
    if host and not host.startswith("/") and ":" not in host:
        message = (
            "Host is a path that does not begin with /, so that its place depends on who runs the task and"
            " where: write it in full, such as /data/leads.db"
        )
        raise SelaSetupError(of_connection(connection.conn_id, message))


def _types(connection: Any) -> set[str]:
    """Names of the database: the connection type, SQLAlchemy's and JDBC's."""
    scheme = str(connection.extra_dejson.get("sqlalchemy_scheme", ""))
    names = {connection.conn_type, scheme.partition("+")[0]}
    protocol, _, rest = (connection.host or "").partition(":")
    if protocol.lower() == "jdbc":
        names.add(rest.partition(":")[0])
    return {str(name).lower().replace("-", "_") for name in names}


def _host(connection: Any) -> str:
    host = connection.host or ""
    if host.lower().startswith("jdbc:"):
        return (urlsplit(host[len("jdbc:") :]).hostname or "").lower()
    return str(host).lower()
