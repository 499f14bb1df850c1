"""Files that appear whole or not at all, on every file system that an ``ObjectStoragePath`` reaches."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import re
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from airflow_provider_sela.connections import error_for_not_found
from airflow_provider_sela.exceptions import (
    SelaError,
    SelaRequestError,
    SelaSetupError,
    SelaTargetError,
    SelaTargetUnavailableError,
)
from airflow_provider_sela.storage.paths import full_path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

T = TypeVar("T")

# Object stores buffer one block in memory. S3 takes 10,000 blocks for an object: 80 GiB.
_BLOCK_BYTES = 8 << 20
_REFUSED: dict[int | None, str] = {
    errno.EACCES: "permission denied: creating, copying and deleting files there must be allowed",
    errno.EPERM: "permission denied: creating, copying and deleting files there must be allowed",
    errno.ENOENT: "the bucket or folder does not exist: create it, or correct path",
    errno.EISDIR: "a folder has this name: choose another",
    errno.ENOTDIR: "a part of the path is a file, not a folder: correct path",
    errno.EEXIST: "a part of the path is a file, not a folder: correct path",
    errno.EFBIG: "the file is larger than this file system or process may make one",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EROFS: "the file system is read-only: choose another place",
}
_CONNECTION = re.compile(r"\w+://([^/@]+)@")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CODES = {
    PermissionError: errno.EACCES,
    FileNotFoundError: errno.ENOENT,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}


class Written(NamedTuple):
    """What a file holds: its size in bytes and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


class Publication:
    """A file and its sidecars, whose names are its name with something added.

    Each is written under a temporary name in the same folder and takes its own name in one step, by rename on
    a local disk and by copy inside an object store. There, a writer that fails or is killed may publish what
    it has: under the final name that could be half a file.

    A context manager. Entering finds out, before any lead is read, that files can be created there, and
    removes what earlier attempts of the same run left when they were killed; leaving removes what was not
    published.

    :param path: the file's place; folders are created on a local disk only.
    :param conn_id: Airflow connection of the storage; default: the one in ``path``, if any.
    :param run: what attempts of one task run have in common, as part of a file name; default: a random name.
    :param attempt: number of this attempt from 1 on; two attempts never share a temporary file.
    :param sidecars: what is going to be added to the file's name for other files.
    :raises SelaRequestError: no installed package serves the path's scheme.
    :raises SelaSetupError: the package that serves the scheme lacks a dependency.
    :raises SelaTargetError: the place cannot be written.
    """

    def __init__(
        self,
        path: ObjectStoragePath | str,
        *,
        conn_id: str | None = None,
        run: str | None = None,
        attempt: int = 1,
        sidecars: Collection[str] = (),
    ) -> None:
        self._fs, self._name = storage(path, conn_id)
        self.url: str = self._fs.unstrip_protocol(self._name)
        self._run = run or uuid.uuid4().hex[:12]
        self._attempt = attempt
        self._planned = sidecars
        self._sidecars: set[str] = set()

    def __enter__(self) -> Publication:
        self._translating("", self._reserve)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for sidecar in self._sidecars:
            self._remove(self._temporary(sidecar, self._attempt))

    def write(self, sidecar: str, fill: Callable[[io.BufferedIOBase], None]) -> Written:
        """Write a file under its temporary name.

        :param sidecar: what is added to the name; empty for the file itself.
        :param fill: writes the content.
        """
        return self._translating(sidecar, lambda: self._write(sidecar, fill))

    def publish(self, sidecar: str) -> None:
        """Give a written file its name, in place of the one that has it now."""
        self._translating(sidecar, lambda: self._publish(sidecar))
        self._sidecars.discard(sidecar)

    def remove_published(self, sidecar: str) -> None:
        """Remove a published file, if there is one."""
        self._translating(sidecar, lambda: self._remove_published(sidecar))

    def _reserve(self) -> None:
        if self._local:
            self._fs.makedirs(posixpath.dirname(self._name), exist_ok=True)
            for sidecar in ("", *self._planned):
                self._translating(sidecar, partial(self._try_name, sidecar))
        self._write("", lambda sink: None)

    def _try_name(self, sidecar: str) -> None:
        """Find out whether a name is a folder's, or too long with all that is added to it."""
        if self._fs.isdir(self._name + sidecar):
            raise IsADirectoryError
        self._write(sidecar, lambda sink: None)
        self._remove(self._temporary(sidecar, self._attempt))

    def _write(self, sidecar: str, fill: Callable[[io.BufferedIOBase], None]) -> Written:
        for earlier in range(1, self._attempt):
            self._remove(self._temporary(sidecar, earlier))
        self._sidecars.add(sidecar)
        file = self._fs.open(self._temporary(sidecar, self._attempt), "wb", block_size=_BLOCK_BYTES)
        try:
            sink = _Sink(file)
            fill(sink)
            if self._local:
                # Or a power cut after the rename leaves an empty file under the final name.
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            with suppress(Exception):
                file.close()
            raise
        file.close()
        return Written(sink.size, sink.digest.hexdigest())

    def _publish(self, sidecar: str) -> None:
        temporary, name = self._temporary(sidecar, self._attempt), self._name + sidecar
        if self._local:
            os.replace(temporary, name)  # noqa: PTH105 (a path of fsspec)
        elif self._renames:
            self._fs.mv(temporary, name)
        else:
            self._fs.cp_file(temporary, name)
            self._fs.rm_file(temporary)

    def _remove_published(self, sidecar: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._name + sidecar)

    def _remove(self, name: str) -> None:
        with suppress(Exception):
            self._fs.rm_file(name)

    def _temporary(self, sidecar: str, attempt: int) -> str:
        folder, name = posixpath.split(self._name)
        # Names with a leading dot are passed over by Spark, Hive, Athena, BigQuery and by globs.
        return posixpath.join(folder, f".{name}{sidecar}.{self._run}.{attempt}.tmp")

    @property
    def _local(self) -> bool:
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self._fs, LocalFileSystem)

    @property
    def _renames(self) -> bool:
        from fsspec import AbstractFileSystem

        # The inherited one takes wildcards and folders for what they look like.
        return type(self._fs).mv is not AbstractFileSystem.mv

    def _translating(self, sidecar: str, action: Callable[[], T]) -> T:
        try:
            return action()
        except SelaError:
            raise
        except Exception as error:  # noqa: BLE001 (every storage library raises its own)
            failure = storage_error(self.url + sidecar, error)
        # Outside the handler, so that the cause, which may quote what was written, is not attached.
        raise failure


class _Sink(io.BufferedIOBase):
    """Counts and digests what passes through it on its way to a file that others close."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.size = 0
        self.digest = sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        self._file.write(view)
        self.digest.update(view)
        self.size += view.nbytes
        return view.nbytes


def storage(path: ObjectStoragePath | str, conn_id: str | None = None) -> tuple[Any, str]:
    """The file system of a path, and the path's name there.

    :raises SelaRequestError: no installed package serves the path's scheme.
    :raises SelaSetupError: the package that does lacks a dependency, or its connection cannot be used.
    :raises SelaUnavailableError: Airflow cannot look its connection up for now.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath

    full_path("path", path)
    try:
        place = ObjectStoragePath(path, conn_id=conn_id) if conn_id else ObjectStoragePath(path)
        return place.fs, place.path
    except ImportError as error:
        failure: SelaError = SelaSetupError(
            f"path: its storage needs a package that is not installed: {error}"
        )
    except AirflowNotFoundException:
        in_path = _CONNECTION.match(str(path))
        named = conn_id or (in_path[1] if in_path else "the default of its provider")
        failure = error_for_not_found(named, "conn_id" if conn_id else "path")
    except Exception as error:  # noqa: BLE001 (every storage library raises its own)
        # Airflow and universal_pathlib say so of a scheme, and nothing else tells it from a wrong connection.
        if isinstance(error, ValueError) and "filesystem" in str(error):
            failure = SelaRequestError(
                "path has a scheme that no installed package serves: install the provider of that storage, "
                "such as apache-airflow-providers-amazon[s3fs] for s3://"
            )
        else:
            failure = SelaSetupError(
                f"path: the connection of its storage cannot be used ({type(error).__name__}): check it"
            )
    raise failure


def storage_error(url: str, error: Exception, *, doing: str = "written") -> SelaTargetError:
    """The error for a failure of a storage library, whose own words may quote what was written.

    :param doing: what the place cannot be: written or read.
    """
    code = getattr(error, "errno", None) or next(
        (code for kind, code in _CODES.items() if isinstance(error, kind)), None
    )
    if code in _FULL:
        return SelaTargetUnavailableError(f"{url} cannot be {doing}: the disk is full, make room there")
    if code in _REFUSED:
        return SelaTargetError(f"{url} cannot be {doing}: {_REFUSED[code]}")
    name = errno.errorcode.get(code) if isinstance(code, int) else None
    reason = f"{type(error).__name__} {name}" if name else type(error).__name__
    return SelaTargetUnavailableError(
        f"{url} cannot be {doing} ({reason}): if trying again does not help, check the storage connection"
    )
