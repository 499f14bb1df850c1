"""S3 as moto's server serves it on loopback, and the Airflow connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest


class S3Store:
    """A server of its own with one bucket, ``sela``.

    :ivar conn_id: name of that connection.
    :ivar connection: the Airflow connection, as plain data.
    :ivar client: a boto3 client that looks at the server behind our code's back.
    """

    bucket = "sela"
    conn_id = "storage"

    def __init__(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()
        url, login, password = f"http://127.0.0.1:{self.port}", "loopback", "loopback-secret"
        self.connection = {
            "conn_type": "aws",
            "login": login,
            "password": password,
            "extra": {"endpoint_url": url, "region_name": "us-east-1"},
        }
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=login,
            aws_secret_access_key=password,
        )
        self.client.create_bucket(Bucket=self.bucket)
        # The servers of one process share what they hold.
        self.empty()

    def keys(self) -> list[str]:
        """Names of all objects."""
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Content of an object."""
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def empty(self) -> None:
        """Delete all objects and give up all uploads."""
        for key in self.keys():
            self.client.delete_object(Bucket=self.bucket, Key=key)
        self.abort_uploads()

    def abort_uploads(self) -> int:
        """Take every upload that is under way from its writer."""
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        for upload in uploads:
            self.client.abort_multipart_upload(
                Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
        return len(uploads)

    def stop(self) -> None:
        """Stop the server, as in an outage."""
        self._server.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Store]:
    """One server for all tests: Airflow keeps the file system of a connection while the process lives."""
    store = S3Store()
    yield store
    store.stop()


@pytest.fixture
def s3(s3_server: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """An empty store, reached by the Airflow connection ``storage``."""
    s3_server.empty()
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE", json.dumps(s3_server.connection))
    return s3_server


@pytest.fixture
def failing_s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A store for a test that stops it, reached by a connection of its own, ``failing_s3.conn_id``."""
    store = S3Store()
    store.conn_id = f"storage_{store.port}"
    monkeypatch.setenv(f"AIRFLOW_CONN_STORAGE_{store.port}", json.dumps(store.connection))
    yield store
    store.stop()
