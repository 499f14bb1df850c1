"""Leads on local disk between reading and landing: one line each, the newest version of each id."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from typing import IO, Any, NamedTuple

from airflow_provider_sela.api.fields import FieldNames
from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, canonical_json
from airflow_provider_sela.api.pages import read_json
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaSetupError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """A lead as it is spooled.

    :param data: one line of UTF-8 JSON without its line feed.
    :param nulled: names of its columns whose value was malformed.
    :param unknown: names of its fields that are not documented, where somebody has looked.
    """

    data: bytes
    nulled: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


Encoder = Callable[[RawLead], Line]


class _Place(NamedTuple):
    modified: int
    offset: int
    length: int
    nulled: int

    def packed(self) -> bytes:
        return _PACKED.pack(*self)


# A place as a tuple of Python's own objects takes five times the memory.
_PACKED = Struct("<qQII")
# Columns with a malformed value are bits of one number.
_BITS = {field.name: 1 << place for place, field in enumerate((*LEAD_FIELDS, EXTRA))}


def lead_line(lead: RawLead) -> Line:
    """The lead itself, in bytes that depend on nothing but its content."""
    return Line(canonical_json(lead.decode()).encode())


def raw_line(lead: RawLead) -> Line:
    """The lead itself, in the bytes that the API sent if they are one line and hold what can be stored."""
    return lead_line(lead) if lead.escapes or b"\n" in lead.json else Line(lead.json)


class Spool:
    """Distinct leads in files that have no name, so that not even a killed worker leaves one behind.

    Memory holds an index of about 150 bytes for each lead; the leads themselves go to disk at once. A second
    version of an id replaces the first unless its ``modified_time`` is older.

    :param encoder: makes the line of a lead.
    :param directory: folder whose disk is used; default: the system's temporary folder (``TMPDIR``).
    :ivar fields: names of the fields that the leads have.
    :raises SelaSetupError: the disk is full or cannot be written.
    """

    def __init__(self, encoder: Encoder = raw_line, directory: str | None = None) -> None:
        self._encoder = encoder
        self._directory = directory
        self.fields = FieldNames()
        self._index: dict[int, bytes] = {}
        self._rejected: set[bytes] = set()
        self._superseded = False
        self._end = 0
        with disk_errors():
            self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 (open until close)
            self._rejects = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, lead_id: object) -> bool:
        return lead_id in self._index

    def __iter__(self) -> Iterator[Any]:
        return map(read_json, self.lines())

    @property
    def nulled(self) -> int:
        """Number of malformed values in the distinct leads."""
        return sum(self.nulled_columns().values())

    def nulled_columns(self) -> dict[str, int]:
        """Number of malformed values by column, the most first; columns without one are left out."""
        found = Counter(nulled for _, _, _, nulled in self._places() if nulled)
        columns = Counter[str]()
        for nulled, leads in found.items():
            columns.update({name: leads for name, bit in _BITS.items() if nulled & bit})
        return dict(columns.most_common())

    @property
    def rejected(self) -> int:
        """Number of distinct results that had no usable id."""
        return len(self._rejected)

    @property
    def longest(self) -> int:
        """Bytes of the longest line, for readers that must allocate before they read."""
        return max((length for _, _, length, _ in self._places()), default=0)

    @property
    def newest(self) -> datetime | None:
        """The latest ``modified_time`` of all leads, None where no lead has a usable one."""
        latest = max((modified for modified, _, _, _ in self._places()), default=0)
        return _EPOCH + timedelta(microseconds=latest) if latest else None

    def add_all(self, leads: Iterable[RawLead]) -> None:
        """Take leads, with one write."""
        lines: list[bytes] = []
        for lead in leads:
            (line, nulled, unknown), key, modified = self._encoder(lead), lead.id, lead.modified or 0
            if unknown or self.fields.looking:
                self.fields.add(lead, unknown)
            if key in self._index:
                known = self._place(key)
                if modified < known.modified:
                    continue
                self._write(lines)
                if self._read(known) == line:
                    self._index[key] = known._replace(modified=modified).packed()
                    continue
                self._superseded = True
            bits = sum(map(_BITS.__getitem__, nulled))
            self._index[key] = _PACKED.pack(modified, self._end, len(line), bits)
            self._end += len(line) + 1
            lines.append(line)
        self._write(lines)

    def reject(self, item: Any) -> None:
        """Take a result without a usable id, so that it is kept and counted."""
        data = canonical_json(item).encode()
        digest = blake2b(data, digest_size=16).digest()
        if digest not in self._rejected:
            self._rejected.add(digest)
            with disk_errors():
                self._rejects.write(data + b"\n")

    def lines(self) -> Iterator[bytes]:
        """The line of each distinct lead, without its line feed, in the order of arrival."""
        return _lines(self.path())

    def lines_by_id(self) -> Iterator[bytes]:
        """The same lines by ascending id: leads read again come in the same order."""
        for key in sorted(self._index):
            yield self._read(self._place(key))

    def reject_lines(self) -> Iterator[bytes]:
        """The line of each reject: JSON as the API sent it."""
        with disk_errors():
            return _lines(_path(self._rejects))

    def path(self) -> str:
        """Path of a file with exactly the distinct leads, for engines that read JSON lines themselves.

        The path is good in this process only, and until leads are added.
        """
        with disk_errors():
            if self._superseded:
                self._compact()
            return _path(self._file)

    def close(self) -> None:
        """Give the disk space back; closing twice is fine."""
        for file in (self._file, self._rejects):
            # On a full disk closing fails as writing did, which would hide the error that was raised then.
            with suppress(OSError):
                file.close()

    def _place(self, key: int) -> _Place:
        return _Place._make(_PACKED.unpack(self._index[key]))

    def _places(self) -> Iterator[tuple[int, ...]]:
        """What :class:`_Place` names, without the time that its names take."""
        return map(_PACKED.unpack, self._index.values())

    def _write(self, lines: list[bytes]) -> None:
        """Write lines where they can be read by their place, and forget them."""
        if lines:
            with disk_errors():
                self._file.write(b"\n".join([*lines, b""]))
                self._file.flush()
            lines.clear()

    def _read(self, place: _Place) -> bytes:
        return os.pread(self._file.fileno(), place.length, place.offset)

    def _compact(self) -> None:
        compacted = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115
        self._end = 0
        for key in self._index:
            place = self._place(key)
            compacted.write(self._read(place) + b"\n")
            self._index[key] = place._replace(offset=self._end).packed()
            self._end += place.length + 1
        self._file.close()
        self._file = compacted
        self._superseded = False


def _path(file: IO[bytes]) -> str:
    file.flush()
    return f"/dev/fd/{file.fileno()}"


def _lines(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:  # noqa: PTH123 (a descriptor, not a place in the file system)
        file.seek(0)
        for line in file:
            yield line[:-1]


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say in words what the local disk refuses.

    :raises SelaSetupError: it does.
    """
    try:
        yield
    except OSError as error:
        reason = "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "cannot be written"
        code = errno.errorcode.get(error.errno or 0, "unknown error")
        raise SelaSetupError(
            f"the disk for temporary files {reason} ({code}): make room there or point TMPDIR to a larger one"
        ) from None
