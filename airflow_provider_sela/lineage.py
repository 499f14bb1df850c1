"""What a task reports to OpenLineage: whose leads it read, where they went, how many, and how complete.

Everything comes from what the task found while it worked: nothing is asked of Sela or of a database for it.
No value of a lead and no filter is part of it. Without the OpenLineage provider nothing here does anything.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_sela.api.leads import LEAD_FIELDS
from airflow_provider_sela.assets import LEADS, SCHEME

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    from airflow_provider_sela.metrics import ReadStats
    from airflow_provider_sela.warehouse.engine import Engine
    from airflow_provider_sela.warehouse.tables import Layout

log = logging.getLogger(__name__)


class Target(NamedTuple):
    """Where leads go, in OpenLineage's names.

    :param namespace: the server, bucket or file system.
    :param name: the table or file in it.
    :param columns: names and types; empty where they are not typed.
    :param rows: rows written; None until then.
    """

    namespace: str
    name: str
    columns: Sequence[tuple[str, str]] = ()
    rows: int | None = None


def table_target(engine: Engine, layout: Layout, conn_id: str) -> Target | None:
    """The table of an engine; None where OpenLineage is not in use or cannot name it.

    :param conn_id: Airflow connection of the database.
    """
    try:
        from airflow.providers.openlineage.conf import is_disabled

        if is_disabled():
            return None
        connection = BaseHook.get_connection(conn_id)
        info = engine.hook.get_openlineage_database_info(connection)
        namespace = _namespace(connection) if info is None else _joined(info.scheme, info.authority)
        outer = [] if info is None else _outer(info.database, connection)
        name = ".".join([*outer[: max(0, len(outer) + 1 - len(engine.target))], *engine.target])
        return Target(
            namespace, name, [(field.name, engine.dialect.column_type(field)) for field in layout.fields]
        )
    except ImportError:
        return None
    except Exception as error:  # noqa: BLE001 (a hook's own words may quote the connection; a load is worth more)
        log.debug("Sela: the table has no name in OpenLineage: %s", type(error).__name__)
        return None


def file_target(url: str, columns: Sequence[tuple[str, str]]) -> Target:
    """The file of a URL such as ``s3://bucket/leads.parquet``."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Target("file", parts.path, columns)
    return Target(f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/"), columns)


def operator_lineage(base_url: str, stats: ReadStats | None, target: Target | None) -> OperatorLineage:
    """All that a task is known to have done so far, which is less after a failure.

    :param base_url: of the Sela connection.
    :param stats: what the read found; None while it has not ended.
    :param target: where the leads go; None for an XCom.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    facets = {} if stats is None else {"sela_read": _read_facet(stats)}
    return OperatorLineage(
        inputs=[_input(base_url, stats)],
        outputs=[] if target is None else [_output(target)],
        run_facets=facets,
    )


def _input(base_url: str, stats: ReadStats | None) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset, input_statistics_input_dataset

    facets: dict[str, Any] = {}
    if stats is not None:
        complete = data_quality_assertions_dataset.Assertion(
            assertion="complete", success=stats.verdict != "UNVERIFIED"
        )
        facets = {
            "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                rowCount=stats.leads
            ),
            "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[complete]
            ),
        }
    schema = _schema([(field.name, field.kind.value) for field in LEAD_FIELDS])
    host = urlsplit(base_url).netloc
    return InputDataset(namespace=f"{SCHEME}://{host}", name=LEADS, facets=schema, inputFacets=facets)


def _output(target: Target) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    facets: dict[str, Any] = {}
    if target.rows is not None:
        facets["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(rowCount=target.rows)
    return OutputDataset(
        namespace=target.namespace, name=target.name, facets=_schema(target.columns), outputFacets=facets
    )


def _schema(columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import schema_dataset

    if not columns:
        return {}
    fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=type_) for name, type_ in columns]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def _read_facet(stats: ReadStats) -> Any:
    from openlineage.client.facet_v2 import RunFacet

    return RunFacet().with_additional_properties(verdict=stats.verdict, **stats.portion(), **stats.counts())


def _outer(database: str | None, connection: Any) -> list[str]:
    """What stands in front of a table's name where the user wrote the name alone."""
    if connection.conn_type == "snowflake":
        parts = [database, connection.schema]
    elif connection.conn_type == "postgres":
        # A table that was found has its schema in its name.
        parts = [database or connection.schema, "public"]
    else:
        parts = [database or connection.schema]
    return [part for part in parts if part]


def _joined(scheme: str, authority: str | None) -> str:
    return f"{scheme}://{authority}" if authority else scheme


def _namespace(connection: Any) -> str:
    """For hooks that have no name of their own for their database, DuckDB's and SQLite's among them."""
    # MotherDuck's token may stand behind the question mark.
    host = (connection.host or "").partition("?")[0].rpartition("@")[2]
    return _joined(connection.conn_type, f"{host}:{connection.port}" if connection.port else host)
