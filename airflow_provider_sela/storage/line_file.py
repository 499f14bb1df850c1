"""Lines on local disk, in a file without a name, for a reader that comes later."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from airflow_provider_sela.storage.local_disk import disk_errors, lines_in

# Of lines that are written at once.
_BLOCK_BYTES = 2**18
# Of the first of several files.
_FIRST_BYTES = 2**21


class LineFile:
    """Lines in a file without a name; its space is given back when it is closed.

    :ivar longest: bytes of the longest line, for readers that must allocate before they read.
    :ivar size: bytes of all lines.
    :raises SelaSetupError: the disk is full or cannot be written.
    """

    def __init__(self) -> None:
        self.longest = self.size = 0
        with disk_errors():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open until close)

    def __enter__(self) -> LineFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return lines_in(self.path)

    @property
    def path(self) -> str:
        """Where the lines are; good in this process only."""
        return f"/dev/fd/{self._file.fileno()}"

    def write(self, lines: list[bytes]) -> None:
        """Take lines, without their line feeds."""
        self.longest = max(self.longest, *map(len, lines))
        data = b"\n".join([*lines, b""])
        with disk_errors():
            self._file.write(data)
            self._file.flush()
        self.size += len(data)

    def close(self) -> None:
        """Give the disk space back."""
        # On a full disk closing fails as writing did, which would hide the error that was raised then.
        with suppress(OSError):
            self._file.close()


def in_files(lines: Iterable[bytes], most_bytes: int) -> Iterator[LineFile]:
    """Lines in files of about so many bytes, to be closed by whoever takes them; memory holds few lines.

    The first are smaller, each twice as large as the one before: whoever takes them has work early.
    """
    file: LineFile | None = None
    enough = min(_FIRST_BYTES, most_bytes)
    for block in in_pieces(lines, min(_BLOCK_BYTES, enough)):
        file = file or LineFile()
        file.write(block)
        if file.size >= enough:
            yield file
            file, enough = None, min(2 * enough, most_bytes)
    if file:
        yield file


def take_files(lines: Iterable[bytes], most_bytes: int, take: Callable[[LineFile], object]) -> None:
    """Let a reader take lines in such files, each while the lines of the next are made."""

    def take_and_close(file: LineFile) -> None:
        with file:
            take(file)

    with ThreadPoolExecutor(1, "sela-lines") as thread:
        taking: Future[None] | None = None
        for file in in_files(lines, most_bytes):
            if taking:
                taking.result()
            taking = thread.submit(take_and_close, file)
        if taking:
            taking.result()


def in_pieces(
    lines: Iterable[bytes], most_bytes: int, most_lines: int | None = None
) -> Iterator[list[bytes]]:
    """Lines in lists of about so many bytes, and of no more than so many lines."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and (size + len(line) > most_bytes or len(piece) == most_lines):
            yield piece
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield piece
