"""Whether a deprecation is ours: what .ci/compat.py fails a leg for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RECORDING = Path(__file__).parent / "recording"
#: A library with a deprecated function, a deprecated name, and a use of its own.
LIBRARY = """
import warnings
def old():
    warnings.warn("old() is deprecated", DeprecationWarning, stacklevel=1)
def __getattr__(name):
    if name != "OLD":
        raise AttributeError(name)
    warnings.warn("OLD is deprecated", FutureWarning, stacklevel=1)
    return 1
"""
ANOTHER = "import library\ndef new():\n    library.old()\n"


def recorded(folder: Path, ours: str) -> str:
    """What is written down when a module of ours runs this."""
    (folder / "library.py").write_text(LIBRARY)
    (folder / "another.py").write_text(ANOTHER)
    (folder / "airflow_provider_sela.py").write_text(ours)
    found = folder / "found.txt"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(RECORDING)]),
        "SELA_COMPAT_DEPRECATIONS": str(found),
    }
    command = [sys.executable, "-W", "ignore", "-c", "import airflow_provider_sela"]
    subprocess.run(command, env=environment, cwd=folder, check=True, timeout=60)
    return found.read_text() if found.exists() else ""


def test_a_deprecated_function_that_we_call_is_written_down(tmp_path: Path) -> None:
    told = recorded(tmp_path, "import library\n\nlibrary.old()\n")
    assert "airflow_provider_sela.py:3: DeprecationWarning: old() is deprecated" in told


def test_a_deprecated_name_that_we_import_is_written_down(tmp_path: Path) -> None:
    told = recorded(tmp_path, "from library import OLD\n")
    assert "airflow_provider_sela.py:1: FutureWarning: OLD is deprecated" in told


def test_what_others_use_is_not_our_fault(tmp_path: Path) -> None:
    assert recorded(tmp_path, "import another\n\nanother.new()\n") == ""
