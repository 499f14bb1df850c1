"""A file under its own name is always whole, whatever happens to its writer."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.exceptions import (
    SelaRequestError,
    SelaSetupError,
    SelaTargetError,
    SelaTargetUnavailableError,
    SelaUnavailableError,
)
from airflow_provider_sela.storage.files import LeadFile
from airflow_provider_sela.storage.publishing import Publication
from airflow_provider_sela.storage.spool import Encoder, Spool
from airflow_provider_sela.testing import sample_leads
from tests.storage.landing import land, manifest, names
from tests.storage.reading import read_jsonl, sha256
from tests.support.s3 import S3Store
from tests.support.spooling import add

PLANTED = "planted-5f2b"
MINE = ["leads.jsonl", "leads.jsonl.manifest.json"]


def start_writer(**order: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.storage.writer", json.dumps(order)]
    environment = dict(os.environ)
    if "largest" in order:
        # Coverage could not store what it saw either, and would say so last.
        environment.pop("COVERAGE_PROCESS_CONFIG", None)
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def kill_in_the_middle(**order: Any) -> None:
    with start_writer(**order) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if "hangs" in line:
                break
        else:
            pytest.fail("the writer never got to the middle")
        writer.kill()


def planted(count: int) -> list[Any]:
    """Leads of about 7 KB that hold text which must not get out."""
    noise = {"email": PLANTED, "metadata": {PLANTED: "\ud800" * 1000}}
    return [{**lead, **noise} for lead in sample_leads(count)]


def unread() -> Iterator[Lead]:
    pytest.fail("a lead was read")
    yield {}


class FailingSpool(Spool):
    """Holds sample leads and runs something in the middle of being written."""

    def __init__(self, encoder: Encoder, strike: Callable[[], object], leads: int, after: int) -> None:
        super().__init__(encoder)
        self._strike, self._after = strike, after
        for lead in planted(leads):
            add(self, lead)

    def lines_by_id(self) -> Iterator[bytes]:
        for number, line in enumerate(super().lines_by_id()):
            if number == self._after:
                self._strike()
            yield line


def test_file_and_manifest_appear_and_nothing_else(tmp_path: Path) -> None:
    file = land(tmp_path / "leads.jsonl", sample_leads(3))
    assert names(tmp_path) == MINE
    assert file.url == f"file://{tmp_path}/leads.jsonl"


def test_the_manifest_tells_what_a_reader_needs(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    land(path, sample_leads(3), rejects=[{"email": "x@example.com"}, 7])
    told, data = manifest(path), path.read_bytes()
    rejects = Path(f"{path}.rejects.jsonl").read_bytes()
    columns = told.pop("columns")
    assert columns[:5] == [
        {"name": "id", "type": "integer"},
        {"name": "email", "type": "text"},
        {"name": "phone_number", "type": "text"},
        {"name": "metadata", "type": "json"},
        {"name": "modified_time", "type": "timestamp"},
    ]
    assert len(columns) == 21
    assert columns[-1] == {"name": "extra", "type": "json"}
    assert told.pop("package_version")
    assert told == {
        "verdict": "ATOMIC",
        "read": 3,
        "nulled": 0,
        "path": f"file://{path}",
        "format": "csv",
        "size": len(data),
        "sha256": sha256(data),
        "rejects": {"path": f"file://{path}.rejects.jsonl", "size": len(rejects), "sha256": sha256(rejects)},
    }
    assert read_jsonl(rejects) == [{"email": "x@example.com"}, 7]


def test_a_rerun_replaces_everything_even_rejects_that_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "leads.jsonl"
    land(path, sample_leads(5), rejects=["no lead"])
    assert names(tmp_path) == [*MINE, "leads.jsonl.rejects.jsonl"]
    land(path, sample_leads(2))
    assert names(tmp_path) == MINE
    assert read_jsonl(path.read_bytes()) == sample_leads(2)
    assert manifest(path)["rejects"] is None


def test_a_folder_that_does_not_exist_is_made(tmp_path: Path) -> None:
    land(tmp_path / "2026" / "11" / "leads.jsonl", sample_leads(1))
    assert names(tmp_path / "2026" / "11") == MINE


def test_characters_of_patterns_are_plain_characters(tmp_path: Path) -> None:
    land(tmp_path / "[a]*?" / "leads.jsonl", sample_leads(1))
    assert names(tmp_path / "[a]*?") == MINE


def test_a_writer_killed_in_the_middle_leaves_the_old_file_whole_and_its_retry_cleans_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "leads.jsonl"
    land(path, sample_leads(4))
    old = path.read_bytes()
    kill_in_the_middle(path=str(path), run="r", attempt=1, leads=3000, stop_after=2000)
    assert path.read_bytes() == old
    assert manifest(path)["sha256"] == sha256(old)
    assert names(tmp_path) == [".leads.jsonl.r.1.tmp", *MINE]
    land(path, sample_leads(9), run="r", attempt=2)
    assert names(tmp_path) == MINE
    assert read_jsonl(path.read_bytes()) == sample_leads(9)


def test_a_writer_killed_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    kill_in_the_middle(path=str(tmp_path / "leads.parquet"), run="r", leads=3000, stop_after=2000)
    assert names(tmp_path) == [".leads.parquet.r.1.tmp"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv", ".parquet"])
def test_a_write_that_the_system_refuses_leaves_no_file_and_says_why(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"leads{suffix}"
    with start_writer(path=str(path), leads=3000, largest=5_000) as writer:
        _, errors = writer.communicate(timeout=60)
    assert writer.returncode == 1
    reason = f"SelaTargetError: file://{path} cannot be written: the file is larger than"
    assert reason in errors.strip().split("\n")[-1]
    assert names(tmp_path) == []


def test_an_interrupt_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with (
        LeadFile(tmp_path / "leads.csv.gz") as file,
        FailingSpool(file.encoder, interrupt, leads=10, after=5) as spool,
        pytest.raises(KeyboardInterrupt),
    ):
        file.publish(spool, dict)
    assert names(tmp_path) == []


def test_a_full_disk_for_temporary_files_is_not_taken_for_the_targets(tmp_path: Path) -> None:
    with LeadFile(tmp_path / "leads.jsonl") as file, Spool(file.encoder) as spool:
        spool._rejects.close()
        spool._rejects = Path("/dev/full").open("w+b")  # noqa: SIM115 (the spool closes it)
        spool.reject("no lead")
        with pytest.raises(SelaSetupError, match="the disk for temporary files is full"):
            file.publish(spool, dict)
    assert names(tmp_path) == []


def test_a_read_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> Iterator[Lead]:
        assert names(tmp_path) != []
        raise SelaUnavailableError("no answer")
        yield {}

    with pytest.raises(SelaUnavailableError):
        land(tmp_path / "leads.csv", broken())
    assert names(tmp_path) == []


def test_an_older_attempt_that_lives_on_cannot_publish_over_a_newer_one(tmp_path: Path) -> None:
    path = tmp_path / "leads.jsonl"
    with LeadFile(path, run="r", attempt=1) as older:
        older._publication.write("", lambda sink: None)
        land(path, sample_leads(3), run="r", attempt=2)
        with pytest.raises(SelaTargetError):
            older._publication.publish("")
    assert read_jsonl(path.read_bytes()) == sample_leads(3)


def test_a_place_that_cannot_be_written_is_told_before_any_lead_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SelaTargetError, match="not a folder") as told:
        land(tmp_path / "file" / "leads.csv", unread())
    assert not told.value.retryable
    with pytest.raises(SelaTargetError, match="a folder has this name"):
        land(tmp_path / "folder.csv", unread())
    with pytest.raises(SelaTargetError, match="name is too long"):
        land(tmp_path / f"{'x' * 250}.csv", unread())


@pytest.mark.parametrize("path", ["nowhere://bucket/leads.csv", "memory://leads.csv"])
def test_a_scheme_that_nothing_serves_names_what_to_install(path: str) -> None:
    with pytest.raises(SelaRequestError, match="install the provider"):
        LeadFile(path)


def test_a_storage_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SelaSetupError, match=r"needs a package that is not installed: .* s3fs "):
        LeadFile("s3://sela/leads.csv", conn_id="storage_without_package")


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        ({"profile_name": PLANTED}, "ProfileNotFound"),
        ({"service_config": {"s3": {"signer": PLANTED}}}, "ValueError"),
    ],
)
def test_a_storage_whose_connection_cannot_be_used_does_not_quote_it(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], error: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE_OF_NOBODY", json.dumps({"conn_type": "aws", "extra": extra}))
    with pytest.raises(SelaSetupError, match=rf"cannot be used \({error}\): check it") as told:
        LeadFile("s3://sela/leads.csv", conn_id="storage_of_nobody")
    assert PLANTED not in str(told.value)
    assert told.value.__context__ is None


def test_a_storage_that_can_rename_is_not_made_to_copy(tmp_path: Path) -> None:
    """HDFS, whose file system has the same base and whose files may be large."""
    io = pytest.importorskip("airflow.sdk.io", reason="Airflow 2 has it elsewhere")
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    io.attach("hdfs", "renaming", fs=ArrowFSWrapper(SubTreeFileSystem(str(tmp_path), LocalFileSystem())))
    (tmp_path / "sela").mkdir()

    def fill(sink: Any) -> None:
        sink.write(b"id\r\n")

    with Publication("hdfs://namenode/sela/leads.csv", conn_id="renaming") as publication:
        publication.write("", fill)
        (temporary,) = (tmp_path / "sela").iterdir()
        written = temporary.stat().st_ino
        publication.publish("")
    assert names(tmp_path / "sela") == ["leads.csv"]
    published = tmp_path / "sela" / "leads.csv"
    assert (published.stat().st_ino, published.read_bytes()) == (written, b"id\r\n")


@pytest.mark.server
@pytest.mark.parametrize("suffix", [".jsonl", ".csv.gz", ".parquet"])
def test_an_object_store_holds_the_same_bytes_as_a_disk(s3: S3Store, tmp_path: Path, suffix: str) -> None:
    leads = planted(2000 if suffix == ".jsonl" else 300)
    land(tmp_path / f"leads{suffix}", leads)
    file = land(f"s3://sela/daily/leads{suffix}", leads, rejects=["no lead"], conn_id="storage")
    assert file.url == f"s3://sela/daily/leads{suffix}"
    name = f"daily/leads{suffix}"
    assert s3.keys() == [name, f"{name}.manifest.json", f"{name}.rejects.jsonl"]
    assert s3.read(name) == (tmp_path / f"leads{suffix}").read_bytes()
    told = json.loads(s3.read(f"{name}.manifest.json"))
    assert told["sha256"] == sha256(s3.read(name))
    assert told["size"] == len(s3.read(name))


@pytest.mark.server
def test_a_rerun_replaces_the_objects(s3: S3Store) -> None:
    land("s3://storage@sela/leads.jsonl", sample_leads(5), rejects=["no lead"])
    file = land("s3://storage@sela/leads.jsonl", sample_leads(2))
    assert file.url == "s3://sela/leads.jsonl"
    assert s3.keys() == MINE
    assert read_jsonl(s3.read("leads.jsonl")) == sample_leads(2)


@pytest.mark.server
def test_an_object_store_knows_no_patterns_either(s3: S3Store) -> None:
    s3.client.put_object(Bucket="sela", Key="[a]*/leads.jsonl/child", Body=b"")
    land("s3://sela/[a]*/leads.jsonl", sample_leads(1), conn_id="storage")
    assert s3.keys() == ["[a]*/leads.jsonl", "[a]*/leads.jsonl.manifest.json", "[a]*/leads.jsonl/child"]


@pytest.mark.server
def test_a_writer_killed_in_the_middle_of_an_upload_leaves_no_object(s3: S3Store) -> None:
    order = {"path": "s3://sela/leads.jsonl", "conn_id": "storage", "run": "r", "leads": 12_000}
    kill_in_the_middle(**order, stop_after=11_000)
    assert s3.keys() == [".leads.jsonl.r.1.tmp"]
    assert s3.read(".leads.jsonl.r.1.tmp") == b""
    land("s3://sela/leads.jsonl", sample_leads(2), conn_id="storage", run="r", attempt=2)
    assert s3.keys() == MINE


@pytest.mark.server
def test_an_upload_that_is_taken_away_leaves_the_old_object_and_says_so(s3: S3Store) -> None:
    land("s3://sela/leads.jsonl", sample_leads(2), conn_id="storage")
    struck: list[int] = []
    with (
        LeadFile("s3://sela/leads.jsonl", conn_id="storage") as file,
        FailingSpool(
            file.encoder, lambda: struck.append(s3.abort_uploads()), leads=2000, after=1500
        ) as spool,
        pytest.raises(SelaTargetError, match=r"s3://sela/leads\.jsonl cannot be written"),
    ):
        file.publish(spool, dict)
    assert struck == [1]
    assert s3.keys() == MINE
    assert read_jsonl(s3.read("leads.jsonl")) == sample_leads(2)


@pytest.mark.server
def test_a_missing_bucket_is_told_before_any_lead_is_read(s3: S3Store) -> None:
    with pytest.raises(SelaTargetError, match="does not exist") as told:
        land("s3://another/leads.csv", unread(), conn_id="storage")
    assert not told.value.retryable


@pytest.mark.server
def test_a_store_that_cannot_be_reached_is_worth_a_retry(failing_s3: S3Store) -> None:
    with LeadFile("s3://sela/leads.csv", conn_id=failing_s3.conn_id) as file, Spool(file.encoder) as spool:
        failing_s3.stop()
        with pytest.raises(SelaTargetUnavailableError, match="check the storage connection") as told:
            file.publish(spool, dict)
    assert told.value.retryable


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, s3: S3Store) -> Any:
    """The log at DEBUG, storage libraries included, which Airflow silences when it is set up."""
    LeadFile("s3://sela/leads.csv", conn_id=s3.conn_id)
    for logger in map(logging.getLogger, ["s3fs", "fsspec", "botocore", "aiobotocore", "urllib3"]):
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger, "propagate", True)
        caplog.set_level(logging.DEBUG, logger.name)
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.server
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_no_value_of_a_lead_is_logged(
    s3: S3Store, suffix: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    land(f"s3://sela/leads{suffix}", planted(50), rejects=[PLANTED], conn_id=s3.conn_id)
    text = everything_logged.text
    assert "put_object" in text
    assert PLANTED not in text


@pytest.mark.server
def test_no_value_of_a_lead_is_logged_or_raised_when_an_upload_fails(
    s3: S3Store, everything_logged: pytest.LogCaptureFixture
) -> None:
    with (
        LeadFile("s3://sela/leads.jsonl", conn_id=s3.conn_id) as file,
        FailingSpool(file.encoder, s3.abort_uploads, leads=2000, after=1500) as spool,
        pytest.raises(SelaTargetError) as told,
    ):
        file.publish(spool, dict)
    text = everything_logged.text
    assert "upload_part" in text
    assert PLANTED not in text
    assert PLANTED not in repr(told.value)
    assert told.value.__cause__ is None
    assert told.value.__context__ is None


def test_an_error_of_a_library_does_not_quote_what_was_written(tmp_path: Path) -> None:
    def refuse(sink: Any) -> None:
        import pyarrow

        pyarrow.array([PLANTED], pyarrow.int64())

    with (
        Publication(tmp_path / "leads.csv") as publication,
        pytest.raises(SelaTargetError) as told,
    ):
        publication.write("", refuse)
    assert PLANTED not in str(told.value)
    assert told.value.__context__ is None


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".csv", ".parquet"])
def test_memory_does_not_grow_with_the_leads(tmp_path: Path, suffix: str) -> None:
    """Once a row group is full, 40,000 more leads (45 MB of JSON) cost next to nothing."""
    grown = {}
    for leads in (20_000, 60_000):
        with start_writer(path=str(tmp_path / f"{leads}{suffix}"), leads=leads) as writer:
            output, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
        told = json.loads(output)
        grown[leads] = told["after"] - told["before"]
    assert grown[60_000] - grown[20_000] < 25
