"""What can be said of a path before its storage is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_sela.exceptions import SelaRequestError, SelaTargetError
from airflow_provider_sela.storage.files import FORMATS, MANIFEST, REJECTS, LeadFile
from airflow_provider_sela.storage.paths import SUFFIXES, file_path, full_path
from airflow_provider_sela.storage.shared_folder import SharedFolder
from tests.storage.landing import names

RELATIVE = [
    "~/leads.csv", "~nobody/leads.csv", "file://~/leads.csv", "local://~/leads.csv", "leads.csv",
    "./leads.csv",
    "data/leads.csv", "../leads.csv", "file://data/leads.csv", "file:leads.csv", "a@/leads.csv",
    "C:\\data\\leads.csv", " /data/leads.csv", "s3:/bucket/leads.csv",
]  # fmt: skip


@pytest.mark.parametrize("path", RELATIVE)
def test_a_local_path_that_depends_on_who_asks_is_refused(path: str) -> None:
    asked: list[Callable[[], object]] = [
        lambda: file_path("path", path), lambda: LeadFile(path), lambda: SharedFolder(path),
    ]  # fmt: skip
    for ask in asked:
        with pytest.raises(SelaRequestError, match=r"path is a local path that does not begin with /.*~"):
            ask()


@pytest.mark.parametrize(
    "path",
    [
        "/data/leads.csv", "file:///data/leads.csv", "local:///data/leads.csv", "file://my_conn@/data/leads.csv",
        "s3://bucket/~/leads.csv", "s3://my_aws@bucket/leads.csv", "/data/a://b.csv",
        ObjectStoragePath("s3://bucket/leads.csv"), ObjectStoragePath("file:///data/leads.csv"),
        Path("/data/leads.csv"),
    ],
)  # fmt: skip
def test_a_path_that_says_the_same_everywhere_passes_as_it_is(path: Any) -> None:
    assert file_path("path", path) is path


@pytest.mark.parametrize("path", [None, "", "None"])
def test_a_path_that_rendered_to_nothing_is_refused(path: Any) -> None:
    with pytest.raises(SelaRequestError, match=r"path is (empty|the text None)"):
        full_path("path", path)


@pytest.mark.parametrize("path", ["/data/a\0.csv", "/data/\ud800.csv"])
def test_a_path_that_no_file_can_have_is_refused(path: str) -> None:
    with pytest.raises(SelaRequestError, match="path holds a character that no file name can"):
        full_path("path", path)


def test_each_suffix_has_its_format() -> None:
    assert [known.suffix for known in FORMATS] == list(SUFFIXES)


@pytest.mark.parametrize("sidecar", ["", MANIFEST, REJECTS])
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_read(
    tmp_path: Path, sidecar: str
) -> None:
    (tmp_path / f"leads.csv{sidecar}").mkdir()
    with pytest.raises(
        SelaTargetError, match=f"leads.csv{sidecar} cannot be written: a folder has this name"
    ):
        LeadFile(str(tmp_path / "leads.csv"), run="r").__enter__()


def test_a_name_too_long_for_what_is_added_to_it_is_told_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 230 + ".csv")
    with pytest.raises(SelaTargetError, match="the name is too long: choose a shorter one"):
        LeadFile(str(path), run="r").__enter__()
    assert names(tmp_path) == []
