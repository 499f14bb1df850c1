"""The worker's own disk: what it refuses, in words, and files on it that have no name."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter

from airflow_provider_sela.exceptions import SelaSetupError

_WITHOUT_FEED = itemgetter(slice(-1))
# Read at once. With as many as Python would read, which hold a few leads, a line takes three times as long.
_BUFFER_BYTES = 2**16


def lines_in(path: str) -> Iterator[bytes]:
    """The lines of an open file, from its beginning, without their line feeds."""
    with open(path, "rb", buffering=_BUFFER_BYTES) as file:  # noqa: PTH123 (a descriptor, not a place in the file system)
        file.seek(0)
        yield from map(_WITHOUT_FEED, file)


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
