"""Files that tasks leave for one another on storage that all workers share.

They are compressed JSON lines, appear whole or not at all, and are known by their SHA-256, which goes from
task to task another way. So whatever else lies at that place, cut short, replaced, of another attempt, is not
taken for what was left.
"""

from __future__ import annotations

import gzip
import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import IO, TYPE_CHECKING, TypeVar

from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.storage.local_disk import disk_errors
from airflow_provider_sela.storage.publishing import Publication, storage, storage_error

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

T = TypeVar("T")
# Bytes that are copied at a time.
_BLOCK_BYTES = 1 << 20
_SUFFIX = ".jsonl.gz"
_OURS = re.compile(r"\.?[a-z0-9-]+\.jsonl\.gz(\.[^/]+\.tmp)?")


class LostError(Exception):
    """What a task left is not there any more, or is not what it left; never leaves the package."""


class CompressedLines:
    """Compressed lines on local disk, in a file that has no name."""

    def __init__(self) -> None:
        with disk_errors():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open until close)
            # The file lives for minutes: time counts, not size.
            self._zip = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=self._file, mtime=0)

    def __enter__(self) -> CompressedLines:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):
            self._zip.close()
        with suppress(OSError):
            self._file.close()

    def add(self, line: bytes) -> None:
        """Take a line, with its line feed."""
        with disk_errors():
            self._zip.write(line)

    def publish(self, publication: Publication) -> str:
        """Give the file its place; returns its SHA-256. No line can be added then."""
        with disk_errors():
            self._zip.close()
            self._file.seek(0)
        digest = publication.write("", lambda sink: shutil.copyfileobj(self._file, sink, _BLOCK_BYTES)).sha256
        publication.publish("")
        return digest


class SharedFolder:
    """A folder for the files of one undertaking.

    :param url: its place; a connection may stand in it, as in ``s3://my_aws@bucket/folder``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._name = storage(url)

    @classmethod
    def new(cls, base: ObjectStoragePath | str, run: str) -> SharedFolder:
        """A folder that nobody has used, in place of those that earlier attempts of the run left.

        :param base: where such folders are made.
        :param run: what attempts of one task run have in common, as part of a name.
        """
        parent = cls(str(base))
        earlier = re.compile(rf"{re.escape(run)}-[0-9a-f]{{8}}")
        for name in filter(earlier.fullmatch, parent._file_names()):
            cls(posixpath.join(parent.url, name)).remove()
        return cls(posixpath.join(parent.url, f"{run}-{secrets.token_hex(4)}"))

    def publication(self, name: str, *, run: str | None, attempt: int) -> Publication:
        """Where a file is written; see :class:`~airflow_provider_sela.storage.publishing.Publication`.

        :param name: lower-case letters, digits and hyphens.
        """
        return Publication(posixpath.join(self.url, name + _SUFFIX), run=run, attempt=attempt)

    def lines(self, name: str, digest: str) -> Iterator[bytes]:
        """Lines of a file; none is given before all of it is known to be what was left.

        :param digest: its SHA-256.
        :raises LostError: it is not there, or it is something else.
        :raises SelaTargetError: the storage cannot be read.
        """
        with disk_errors():
            copy = tempfile.TemporaryFile()  # noqa: SIM115 (open until the block ends)
        with copy:
            found = self._translating(lambda: self._fetch(name, copy))
            if found != digest:
                raise LostError("is not there" if found is None else "is not what was left")
            copy.seek(0)
            with gzip.GzipFile(fileobj=copy) as unzipped:
                yield from unzipped

    def remove(self) -> None:
        """Remove the files, and the folder if nothing else is in it.

        :raises SelaTargetError: the storage does not allow it.
        """
        for name in filter(_OURS.fullmatch, self._file_names()):
            place = posixpath.join(self._name, name)
            self._translating(partial(self._fs.rm_file, place))
        with suppress(Exception):
            self._fs.rmdir(self._name)

    def _fetch(self, name: str, copy: IO[bytes]) -> str | None:
        digest = sha256()
        self._fs.invalidate_cache()
        try:
            file = self._fs.open(posixpath.join(self._name, name + _SUFFIX), "rb")
        except FileNotFoundError:
            return None
        with file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                with disk_errors():
                    copy.write(block)
        return digest.hexdigest()

    def _file_names(self) -> list[str]:
        """Names of what is in the folder."""
        self._fs.invalidate_cache()
        with suppress(FileNotFoundError):
            found = self._translating(lambda: self._fs.ls(self._name, detail=False))
            return [posixpath.basename(name.rstrip("/")) for name in found]
        return []

    def _translating(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (SelaError, FileNotFoundError):
            raise
        except Exception as error:  # noqa: BLE001 (every storage library raises its own)
            failure = storage_error(self.url, error, doing="read")
        raise failure
