"""The examples that end with a warehouse's own load operator, where its provider is installed.

``uv run --with apache-airflow-providers-google,apache-airflow-providers-snowflake pytest tests/examples``
"""

from __future__ import annotations

import importlib
import io
import json
from typing import Any

import pendulum
import pytest

from airflow_provider_sela.testing import SelaApi
from tests.examples.running import state
from tests.snapshot.drifting import DriftingList
from tests.support.drifting_api import DriftingApi
from tests.support.s3 import S3Store

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]

SNOWFLAKE = "airflow.providers.snowflake.transfers.copy_into_snowflake"
BIGQUERY = "airflow.providers.google.cloud.transfers.gcs_to_bigquery"


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """The bucket of the example, empty, behind the example's connection."""
    pytest.importorskip(SNOWFLAKE)
    pytest.importorskip("moto")
    s3: S3Store = request.getfixturevalue("s3")
    monkeypatch.setenv("AIRFLOW_CONN_MY_AWS", json.dumps(s3.connection))
    s3.client.create_bucket(Bucket="my-bucket")
    for found in s3.client.list_objects_v2(Bucket="my-bucket").get("Contents", []):
        s3.client.delete_object(Bucket="my-bucket", Key=found["Key"])
    return s3


def run_but_for_the_load(name: str) -> dict[str, str]:
    """Run an example, its last task taken for done; gives the states of its tasks."""
    dag = importlib.import_module(f"example_dags.{name}").dag
    finished = dag.test(logical_date=pendulum.now("UTC"), mark_success_pattern="(copy|load)_leads")
    return {ti.task_id: state(ti) for ti in finished.get_task_instances()}


@pytest.mark.server
def test_the_file_for_snowflake_is_written_and_a_proof_lets_the_copy_begin(
    api: SelaApi, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    assert run_but_for_the_load("sela_leads_to_snowflake") == {
        "write_leads": "success", "is_proven": "success", "copy_leads": "success",
    }  # fmt: skip
    listed = bucket.client.list_objects_v2(Bucket="my-bucket")["Contents"]
    (key,) = [found["Key"] for found in listed if found["Key"].endswith("/leads.parquet")]
    content = bucket.client.get_object(Bucket="my-bucket", Key=key)["Body"].read()
    assert pyarrow.parquet.read_table(io.BytesIO(content)).num_rows == 250


@pytest.mark.server
def test_without_a_proof_nothing_is_copied(bucket: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    drifting = DriftingList("id", leads=300, cap=50, honours_page_size=False)
    with DriftingApi(drifting) as api:
        connection = {**api.connection, "extra": {"page_size": 20}}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        states = run_but_for_the_load("sela_leads_to_snowflake")
    assert states == {"write_leads": "success", "is_proven": "success", "copy_leads": "skipped"}


def test_snowflake_is_told_to_copy_what_was_written() -> None:
    pytest.importorskip(SNOWFLAKE)
    dag = importlib.import_module("example_dags.sela_leads_to_snowflake").dag
    write, copy = dag.get_task("write_leads"), dag.get_task("copy_leads")
    _render(write)
    _render(copy)
    # The stage raw.sela_leads stands for s3://my-bucket/sela/.
    assert str(write.path) == f"s3://my_aws@my-bucket/sela/{copy.files[0]}"
    assert "TYPE = PARQUET" in copy.file_format
    assert copy.upstream_task_ids == {"is_proven"}


def test_bigquery_is_told_to_load_what_was_written() -> None:
    pytest.importorskip(BIGQUERY)
    dag = importlib.import_module("example_dags.sela_leads_to_bigquery").dag
    write, load = dag.get_task("write_leads"), dag.get_task("load_leads")
    _render(write)
    _render(load)
    assert str(write.path) == f"gs://google_cloud_default@{load.bucket}/{load.source_objects[0]}"
    assert (load.source_format, load.write_disposition) == ("PARQUET", "WRITE_TRUNCATE")
    assert load.upstream_task_ids == {"is_proven"}


def _render(task: Any) -> None:
    task.render_template_fields({"ts_nodash": "20260102T000000", "params": {}})
    assert "{{" not in str({name: getattr(task, name, None) for name in ("path", "files", "source_objects")})
