"""Paths as users write them: what can be said of one without a look at its storage."""

from __future__ import annotations

import re

from airflow_provider_sela.api.parameters import is_encodable, text
from airflow_provider_sela.exceptions import SelaRequestError

#: What the names of files of leads end with, each a format.
SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
# Of the local disk, with or without a connection: file:///data, file://my_conn@/data. Not compiled before a
# path is read: DAG files import this every few seconds.
_LOCAL = r"(?:file|local)://(?:[^/@]*@)?|(?![^/]*://)"


def full_path(name: str, value: object) -> object:
    """Read a path that means the same place whoever asks.

    :param value: a URL, a local path, or a path object such as ``ObjectStoragePath``, which passes as it is.
    :raises SelaRequestError: it is relative or begins with ``~``, or no file can have such a name.
    """
    path = text(name, value) if value is None or isinstance(value, str) else str(value)
    if "\0" in path or not is_encodable(path):
        raise SelaRequestError(f"{name} holds a character that no file name can")
    local = re.match(_LOCAL, path)
    if local and not path.startswith("/", local.end()):
        raise SelaRequestError(
            f"{name} is a local path that does not begin with /, so that its place depends on who runs the"
            " task and where, as with ~: write it in full, such as /data/leads.csv or file:///data/leads.csv"
        )
    return value


def file_path(name: str, value: object) -> object:
    """Read the path of a file of leads; its suffix, in any case, names the format.

    :raises SelaRequestError: as :func:`full_path`, or the suffix is another one.
    """
    if not str(value).lower().endswith(SUFFIXES):
        raise SelaRequestError(
            f"{name} ends with no suffix that names a file format: allowed are {', '.join(SUFFIXES)}"
        )
    return full_path(name, value)
