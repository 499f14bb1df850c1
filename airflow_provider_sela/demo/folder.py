"""The folder in which everything of the demo lies, and which nobody else uses."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from airflow_provider_sela.demo.errors import DemoError

_MARKER = ".sela-demo"
# What Airflow calls an error that no retry can mend; its own name follows.
_FINAL = re.compile(r"^[\w.]*AirflowFailException: ")
_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception)\w*: .+")
_HOLDER = re.compile(r"Conflicting lock is held in (.+?)\. See ")


class DemoFolder:
    """A folder that is new, empty or of an earlier demo.

    :param path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "leads.duckdb"
        self.dags = self.path / "dags"
        self.log = self.path / "demo.log"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and keep it from other demos.

        :raises DemoError: it is somebody else's, in use, or cannot be written.
        """
        with self._marker() as marker:
            try:
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DemoError(f"another sela-demo runs in {self}; end it first") from None
            self.log.write_text("")
            yield

    def _marker(self) -> TextIO:
        """The open file that says whose the folder is."""
        if re.search(r"[?$\x00-\x1f]", str(self.path)):
            name = str(self) if str(self).isprintable() else repr(str(self))
            raise DemoError(f"Airflow cannot live in {name}; name a folder without ?, $ and line breaks")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            marker = self.path / _MARKER
            if not marker.exists() and any(self.path.iterdir()):
                # An Airflow of the reader's may lie there, and must not be taken for the demo's.
                raise DemoError(f"{self} holds other files; name a folder that is new: sela-demo NEW_FOLDER")
            return marker.open("w")
        except (FileExistsError, NotADirectoryError):
            raise DemoError(f"{self} is a file or lies below one; name a folder: sela-demo FOLDER") from None
        except OSError as error:
            reason = f"{self} cannot be written ({error.strerror})"
            raise DemoError(f"{reason}; name another folder: sela-demo FOLDER") from None

    def copy_dag(self, dag_id: str) -> None:
        """Copy an example into the folder for DAGs: in a wheel it lies inside the package, else beside it."""
        package = Path(__file__).resolve().parent.parent
        inside = package / "example_dags"
        source = inside if inside.is_dir() else package.parent / "example_dags"
        self.dags.mkdir(exist_ok=True)
        shutil.copy(source / f"{dag_id}.py", self.dags)

    def check_database(self) -> None:
        """Open the DuckDB file as the load will.

        :raises DemoError: there is no DuckDB, or the file is open elsewhere or not DuckDB's.
        """
        try:
            import duckdb

            version("apache-airflow-providers-duckdb")
        except ImportError:
            raise DemoError("DuckDB is not installed: pip install 'airflow-provider-sela[duckdb]'") from None
        try:
            duckdb.connect(str(self.database)).close()
        except duckdb.Error as error:
            holder = _HOLDER.search(str(error))
            if holder:
                reason = f"{shown(self.database)} is open in {holder[1]}; close it there, then run this again"
            else:
                reason = str(error).partition("\n")[0]
            raise DemoError(reason) from None

    def welcome(self, server: str) -> None:
        """Let the table take leads of the sample API again, which has another port in each demo.

        :param server: its address.
        """
        import duckdb

        with duckdb.connect(str(self.database)) as connection:
            known = (
                "SELECT 1 FROM duckdb_columns() WHERE (table_name, column_name) = ('_sela_loads', 'origin')"
            )
            if connection.execute(known).fetchall():
                connection.execute("UPDATE _sela_loads SET origin = ?", [server])

    def reason(self) -> str:
        """The line of the log that says why something failed: the last exception, else the last line."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        failures = [line for line in lines if _EXCEPTION.match(line)]
        return _FINAL.sub("", (failures or lines or ["it said nothing"])[-1])

    def __str__(self) -> str:
        return shown(self.path)


def shown(path: Path) -> str:
    """A path as its reader would type it: from the current folder, where it lies below that."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
