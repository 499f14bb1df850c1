"""Leads into one file: JSON Lines, CSV or Parquet, chosen by the suffix of its name.

JSON Lines holds each lead as the API sent it. CSV and Parquet hold typed columns, always the same ones in the
same order: the documented fields, then ``extra``, JSON with undocumented fields and the raw form of values
that their column could not hold (those are NULL). Leads are ordered by id, and the same leads give the same
bytes, gzip included.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sela import __version__
from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Kind
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.storage.csv_lines import QUOTE, csv_line
from airflow_provider_sela.storage.paths import file_path
from airflow_provider_sela.storage.publishing import Publication
from airflow_provider_sela.storage.spool import Encoder, Spool, Tell, lead_line

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

COLUMNS = (*LEAD_FIELDS, EXTRA)
MANIFEST = ".manifest.json"
REJECTS = ".rejects.jsonl"

# Lines become columns a little at a time, and columns are gathered until they make a row group of the file,
# about 6,000 leads.
_CHUNK_BYTES = 1 << 20
_GROUP_BYTES = 4 << 20
# Each column of a row group is written in pages, of which it has one in memory.
_PAGE_BYTES = 1 << 18
# Parquet writes a value that comes again as a number. To look for such values takes memory, and in the other
# columns it finds so few that the file is larger for it.
_REPEATING = [
    "status", "status_reason", "lead_source", "lead_type", "next_call_time_reason", "us_state",
    "reengagements_count",
]  # fmt: skip


class FileFormat(NamedTuple):
    """How leads become bytes.

    :param suffix: what the file's name ends with.
    :param encoder: makes the line of a lead.
    :param fill: writes such lines to a binary file.
    :param columns: whether the file has typed columns.
    """

    suffix: str
    encoder: Encoder
    fill: Callable[[Iterator[bytes], io.BufferedIOBase], None]
    columns: bool


def file_format(path: object) -> FileFormat:
    """The format of a file by its suffix, in any case.

    :raises SelaRequestError: the suffix is another one.
    :raises SelaSetupError: the format needs a package that is not installed.
    """
    name = str(file_path("path", path)).lower()
    found = next(known for known in FORMATS if name.endswith(known.suffix))
    if found.suffix == ".parquet":
        _pyarrow()
    return found


class LeadFile:
    """A file of leads, its manifest and, if need be, its rejects, which replace those of an earlier load.

    A context manager around the read: entering proves that the place can be written, leaving removes what was
    not published. ``<path>.manifest.json`` is published last; until then an older manifest may stand beside
    a newer file, which its ``sha256`` tells. ``<path>.rejects.jsonl`` holds results without a usable id, as
    the API sent them, and is there only if there are any.

    :param path: an ``ObjectStoragePath``, a URL or a local path, ending with a suffix of :data:`FORMATS`.
    :param conn_id: Airflow connection of the storage; default: the one in ``path``, if any.
    :param run: see :class:`~airflow_provider_sela.storage.publishing.Publication`, as for ``attempt``.
    :raises SelaRequestError: the suffix or scheme of ``path`` is not known.
    :raises SelaSetupError: a package is missing.
    :raises SelaTargetError: the place cannot be written.
    """

    def __init__(
        self,
        path: ObjectStoragePath | str,
        *,
        conn_id: str | None = None,
        run: str | None = None,
        attempt: int = 1,
    ) -> None:
        self._format = file_format(path)
        self._publication = Publication(
            path, conn_id=conn_id, run=run, attempt=attempt, sidecars=(MANIFEST, REJECTS)
        )

    def __enter__(self) -> LeadFile:
        self._publication.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._publication.__exit__(*exc_info)

    @property
    def url(self) -> str:
        """Place of the file, with its scheme and without a connection's name: ``s3://bucket/leads.parquet``."""
        return self._publication.url

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Names and kinds of the file's typed columns; empty for JSON Lines, which have none."""
        return [(name, kind.value) for name, kind in COLUMNS] if self._format.columns else []

    @property
    def encoder(self) -> Encoder:
        """What makes the lines of this format."""
        return self._format.encoder

    def publish(self, spool: Spool, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Write and publish rejects, file and manifest, in this order.

        :param spool: leads, with :attr:`encoder`.
        :param facts: tells what the manifest says of the load, beside what it says of the file. It is asked
            when all leads are written, before they are published.
        """
        data = self._publication.write("", lambda sink: self._fill(spool, sink))
        rejects = None
        if spool.rejected:
            written = self._publication.write(REJECTS, lambda sink: _fill_lines(spool.reject_lines(), sink))
            rejects = {"path": self.url + REJECTS, **written._asdict()}
        manifest = {
            **facts(),
            "path": self.url,
            "format": self._format.suffix[1:],
            **data._asdict(),
            "columns": [{"name": name, "type": kind} for name, kind in self.columns] or None,
            "rejects": rejects,
            "package_version": __version__,
        }
        text = json.dumps(manifest, indent=2).encode()
        self._publication.write(MANIFEST, lambda sink: _fill_lines(iter([text]), sink))
        if rejects:
            self._publication.publish(REJECTS)
        self._publication.publish("")
        if not rejects:
            self._publication.remove_published(REJECTS)
        self._publication.publish(MANIFEST)

    def _fill(self, spool: Spool, sink: io.BufferedIOBase) -> None:
        lines = spool.lines_by_id()
        if not self._format.suffix.endswith(".gz"):
            self._format.fill(lines, sink)
            return
        # Name and time in the header would make each load's bytes differ.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0) as zipped:
            self._format.fill(lines, zipped)


def row_line(lead: RawLead, tell: Tell) -> bytes:
    """The typed row of a lead: a JSON array with a value for each of :data:`COLUMNS`."""
    values, nulled, unknown = lead.row_values()
    tell(nulled, unknown)
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def delimited_line(lead: RawLead, tell: Tell) -> bytes:
    """The same row for :func:`_table`, which reads it without a single object of Python's."""
    content, nulled, unknown = lead.row_content()
    tell(nulled, unknown)
    return csv_line(content)


def _fill_lines(lines: Iterator[bytes], sink: io.BufferedIOBase) -> None:
    for line in lines:
        sink.write(line + b"\n")


def _fill_csv(lines: Iterator[bytes], sink: io.BufferedIOBase) -> None:
    sink.write(",".join(column.name for column in COLUMNS).encode() + b"\r\n")
    for line in lines:
        sink.write(",".join(map(_cell, json.loads(line))).encode() + b"\r\n")


def _cell(value: int | str | bool | None) -> str:
    # NULL is nothing, an empty text is a pair of quotes: csv.writer can tell them apart from Python 3.12 on.
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return str(value).lower()


def _fill_parquet(lines: Iterator[bytes], sink: io.BufferedIOBase) -> None:
    pyarrow, parquet = _pyarrow()
    types = {
        Kind.INTEGER: pyarrow.int64(),
        Kind.TEXT: pyarrow.string(),
        Kind.TIMESTAMP: pyarrow.timestamp("us", tz="UTC"),
        Kind.BOOLEAN: pyarrow.bool_(),
        Kind.JSON: pyarrow.string(),
    }
    schema = pyarrow.schema(
        [pyarrow.field(name, types[kind], nullable=name != "id") for name, kind in COLUMNS]
    )
    options = {"use_dictionary": _REPEATING, "data_page_size": _PAGE_BYTES}
    with parquet.ParquetWriter(sink, schema, **options) as writer:
        group: list[Any] = []
        for chunk in _chunks(lines):
            group.append(_table(chunk, schema))
            if sum(table.nbytes for table in group) >= _GROUP_BYTES:
                writer.write_table(pyarrow.concat_tables(group))
                group = []
        if group:
            writer.write_table(pyarrow.concat_tables(group))


def _table(lines: bytes, schema: Any) -> Any:
    from pyarrow import BufferReader, csv

    table = csv.read_csv(
        BufferReader(lines),
        csv.ReadOptions(column_names=schema.names, use_threads=False, block_size=len(lines) + 1),
        csv.ParseOptions(quote_char=QUOTE.decode(), newlines_in_values=True),
        csv.ConvertOptions(
            column_types=schema,
            null_values=["null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true"],
            false_values=["false"],
        ),
    )
    return table.cast(schema)


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    chunk = bytearray()
    for line in lines:
        chunk += line + b"\n"
        if len(chunk) >= _CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise SelaSetupError(
            "a .parquet file needs pyarrow: install airflow-provider-sela[parquet]"
        ) from None
    return pyarrow, parquet


FORMATS = (
    FileFormat(".jsonl", lead_line, _fill_lines, columns=False),
    FileFormat(".jsonl.gz", lead_line, _fill_lines, columns=False),
    FileFormat(".csv", row_line, _fill_csv, columns=True),
    FileFormat(".csv.gz", row_line, _fill_csv, columns=True),
    FileFormat(".parquet", delimited_line, _fill_parquet, columns=True),
)
