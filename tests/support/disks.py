"""Small disks that fill up: file systems in memory, which only root can mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A file system of a few kilobytes, mounted.

    :ivar path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def resize(self, size: str) -> None:
        """Make it larger or smaller, such as ``64m``."""
        self._remount(f"size={size}")

    def read_only(self, *, on: bool) -> None:
        """Refuse all writing, or allow it again."""
        self._remount("ro" if on else "rw")

    @property
    def empty(self) -> bool:
        """Whether no block is taken."""
        room = os.statvfs(self.path)
        return room.f_bfree == room.f_blocks

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.path)], check=True)  # noqa: S607


@contextmanager
def small_disk(folder: Path, size: str = "256k") -> Iterator[Disk]:
    """A disk at ``folder``, which is made; without the right to mount one the test is skipped."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607
