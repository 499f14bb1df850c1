"""Leads on local disk between reading and landing: one line each, the newest version of each id."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate, compress, repeat
from struct import Struct
from typing import IO, Any, NamedTuple

from airflow_provider_sela.api.columns import MISSING
from airflow_provider_sela.api.content import digest, reject_hash
from airflow_provider_sela.api.fields import FieldNames
from airflow_provider_sela.api.leads import canonical_json
from airflow_provider_sela.api.pages import read_json
from airflow_provider_sela.api.raw import RawLead, RawLeads
from airflow_provider_sela.storage.local_disk import disk_errors, lines_in

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


#: Is told names of a lead's columns whose value was malformed, and of its fields that are not documented.
Tell = Callable[[Iterable[str], Iterable[str]], None]
#: Makes a line of UTF-8 of a lead, without its line feed.
Encoder = Callable[[RawLead, Tell], bytes]


class _Place(NamedTuple):
    modified: int
    offset: int
    length: int

    def packed(self) -> bytes:
        return _PACKED.pack(*self)


# A place as a tuple of Python's own objects takes five times the memory.
_PACKED = Struct("<qQI")


def lead_line(lead: RawLead, tell: Tell | None = None) -> bytes:
    """The lead itself, in bytes that depend on nothing but its content; nothing is told of it."""
    return canonical_json(lead.decode()).encode()


def raw_line(lead: RawLead, tell: Tell | None = None) -> bytes:
    """The lead itself, in the bytes that the API sent if they hold what can be stored."""
    return lead_line(lead) if lead.escapes else lead.json


class Spool:
    """Distinct leads in files that have no name, so that not even a killed worker leaves one behind.

    Memory holds an index of about 150 bytes for each lead; the leads themselves go to disk at once, in the
    bytes that came. What is made of them is made while they are read again. A second version of an id
    replaces the first unless its ``modified_time`` is older.

    :param encoder: see :data:`Encoder`.
    :param directory: folder whose disk is used; default: the system's temporary folder (``TMPDIR``).
    :param watch: is told of each lead that comes.
    :ivar fields: names of the fields that the leads have; those that are not documented as far as lines were
        made.
    :ivar told: whether lines were made of all leads, or what they tell is known.
    :raises SelaSetupError: the disk is full or cannot be written.
    """

    def __init__(
        self,
        encoder: Encoder = raw_line,
        directory: str | None = None,
        watch: Callable[[RawLead], object] | None = None,
    ) -> None:
        self._encoder = encoder
        self._directory = directory
        self._watch = watch
        self.fields = FieldNames()
        self._nulled = Counter[str]()
        self._index: dict[int, bytes] = {}
        self._rejected: set[str] = set()
        self._superseded = False
        self.told = False
        self._end, self._newest = 0, MISSING
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
    def ids(self) -> Set[int]:
        """Ids of the leads, in the order of arrival."""
        return self._index.keys()

    @property
    def nulled(self) -> int:
        """Number of malformed values in the distinct leads, once lines were made of all."""
        return self._nulled.total()

    def nulled_columns(self) -> dict[str, int]:
        """The same by column, the most first; columns without one are left out."""
        return dict(self._nulled.most_common())

    @property
    def rejected(self) -> int:
        """Number of distinct results that had no usable id."""
        return len(self._rejected)

    @property
    def newest(self) -> datetime | None:
        """The latest ``modified_time`` of all leads, None where no lead has a usable one."""
        usable = self._newest not in (0, MISSING)
        return _EPOCH + timedelta(microseconds=self._newest) if usable else None

    def add_all(self, leads: Sequence[RawLead]) -> None:
        """Take leads, with one write for those that are new."""
        columns = leads if isinstance(leads, RawLeads) else RawLeads.from_leads(leads)
        self.told = False
        self._look(columns)
        ids: list[int] = columns.ids
        lines = columns.json
        times = [0 if time == MISSING else time for time in columns.modified]
        self._newest = max(self._newest, max(times, default=MISSING))
        twice = len(set(ids)) < len(ids)
        known = [twice or key in self._index for key in ids]
        rest = list(compress(zip(ids, times, lines, strict=True), known))
        new = [not each for each in known]
        self._add_new(list(compress(ids, new)), list(compress(times, new)), list(compress(lines, new)))
        for lead in rest:
            self._add(*lead)

    def _add_new(self, ids: list[int], times: list[int], lines: list[bytes]) -> None:
        """Take distinct leads that are not known."""
        lengths = list(map(len, lines))
        offsets = accumulate((length + 1 for length in lengths[:-1]), initial=self._end)
        self._index.update(zip(ids, map(_PACKED.pack, times, offsets, lengths), strict=True))
        self._write(lines)

    def _look(self, leads: RawLeads) -> None:
        """Show leads to whoever wants to see them."""
        for lead in leads if self._watch or self.fields.looking else ():
            if self._watch:
                self._watch(lead)
            if self.fields.looking:
                self.fields.look(lead)
            elif not self._watch:
                break

    def _add(self, key: int, modified: int, line: bytes) -> None:
        """Take a lead that may be known."""
        known = self._place(key) if key in self._index else None
        if known is not None:
            if modified < known.modified:
                return
            if self._read(known) == line:
                self._index[key] = known._replace(modified=modified).packed()
                return
            self._superseded = True
        self._index[key] = _PACKED.pack(modified, self._end, len(line))
        self._write([line])

    def reject(self, item: Any) -> None:
        """Take a result without a usable id, so that it is kept and counted."""
        data = canonical_json(item).encode()
        known = digest(data)
        if known not in self._rejected:
            self._rejected.add(known)
            with disk_errors():
                self._rejects.write(data + b"\n")

    def lines(self, wanted: Sequence[int] | None = None) -> Iterator[bytes]:
        """The line of each lead that is wanted (default: all), in the order of arrival."""
        if wanted is None:
            return self._made(self._index, lines_in(self.path()))
        keys = list(compress(self._index, wanted))
        return self._made(keys, map(self._read, map(self._place, keys)))

    def leads(self) -> Iterator[tuple[int, bytes]]:
        """Ids and leads in the bytes that came, in the order of arrival."""
        return zip(self._index, lines_in(self.path()), strict=True)

    def tell(self, nulled: Counter[str], unknown: Iterable[str]) -> None:
        """Take what is known of leads of which no line was made."""
        self._nulled += nulled
        self.fields.add_unknown(unknown)

    def lines_by_id(self) -> Iterator[bytes]:
        """The same lines by ascending id: leads read again come in the same order."""
        keys = sorted(self._index)
        return self._made(keys, map(self._read, map(self._place, keys)))

    def make_all(self) -> None:
        """Make every line for what it tells, if nobody has."""
        if not self.told:
            deque(self.lines(), maxlen=0)

    def _made(self, keys: Collection[int], leads: Iterable[bytes]) -> Iterator[bytes]:
        counted = Counter[str]()

        def tell(nulled: Iterable[str], unknown: Iterable[str]) -> None:
            if nulled:
                counted.update(nulled)
            self.fields.add_unknown(unknown)

        # By map, which takes less time for each lead than a loop, and without the class's own code.
        new: Callable[[tuple[Any, ...]], RawLead] = partial(tuple.__new__, RawLead)
        created, modified = (repeat(None, len(keys)) for _ in range(2))
        raw = map(new, zip(keys, created, modified, leads, strict=True))
        yield from map(self._encoder, raw, repeat(tell))
        self._nulled, self.told = counted, True

    def reject_lines(self) -> Iterator[bytes]:
        """The line of each reject: JSON as the API sent it."""
        with disk_errors():
            return lines_in(_path(self._rejects))

    def rejects(self) -> Iterator[tuple[str, str]]:
        """The hash of each reject and its text."""
        for line in self.reject_lines():
            raw = line.decode()
            yield reject_hash(raw), raw

    def path(self) -> str:
        """Path of a file with exactly the distinct leads, in the bytes that came.

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

    def _write(self, lines: list[bytes]) -> None:
        """Write lines where they can be read by their place."""
        if lines:
            data = b"\n".join([*lines, b""])
            with disk_errors():
                self._file.write(data)
                self._file.flush()
            self._end += len(data)

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
