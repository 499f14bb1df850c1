from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.storage.spool import Spool
from tests.support import disks
from tests.support.memory import traced
from tests.support.spooling import T1, T2, add, lead


def test_the_index_takes_about_300_bytes_for_a_lead() -> None:
    assert traced(_spool, 5_000).held / 5_000 < 400


def _spool(leads: int) -> Spool:
    spool = Spool()
    for key in range(leads):
        add(spool, lead(10**6 + key, T1, metadata="x" * 1000))
    return spool


def test_a_spool_leaves_no_file_even_while_it_is_open(tmp_path: Path) -> None:
    with Spool(directory=str(tmp_path)) as spool:
        add(spool, lead(1, T1))
        add(spool, lead(1, T2))
        spool.reject({})
        spool.path()
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_no_file_behind(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom airflow_provider_sela.storage.spool import Spool\n"
        "from tests.support.spooling import add\nspool = Spool()\n"
        "for turn in (1, 2):\n  for key in range(2000):\n"
        "    add(spool, {'id': key, 'modified_time': f'2025-01-01T00:00:0{turn}Z', 'status': 'x' * 500})\n"
        "  spool.path()\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_fine_and_gives_the_disk_back() -> None:
    spool = Spool()
    add(spool, lead(1))
    path = spool.path()
    spool.close()
    spool.close()
    assert not Path(path).exists()


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SelaSetupError, match=r"cannot be written \(ENOENT\).*TMPDIR"):
        Spool(directory=str(tmp_path / "missing"))


def test_no_usable_temporary_folder_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SelaSetupError, match="TMPDIR"):
        Spool()


def test_a_folder_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    read_only = "/proc" if os.geteuid() == 0 else str(tmp_path)
    with pytest.raises(SelaSetupError, match=r"cannot be written \(\w+\).*TMPDIR"):
        Spool(directory=read_only)


def fill(spool: Spool) -> None:
    for key in range(10_000):
        add(spool, lead(key, status="x" * 1000))
    spool.path()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[str]:
    """A file system of 256 KB."""
    with disks.small_disk(tmp_path / "disk") as disk:
        yield str(disk.path)


def test_a_full_disk_is_a_clear_error_without_lead_data(small_disk: str) -> None:
    with (
        pytest.raises(SelaSetupError, match=r"is full \(ENOSPC\): make room there or point TMPDIR") as caught,
        Spool(directory=small_disk) as spool,
    ):
        fill(spool)
    assert "xxx" not in str(caught.value)
    assert os.statvfs(small_disk).f_bfree == os.statvfs(small_disk).f_blocks


def test_a_disk_that_fills_while_the_spool_is_compacted_is_a_clear_error(small_disk: str) -> None:
    with Spool(directory=small_disk) as spool:
        for modified in (T1, T2):
            for key in range(100):
                add(spool, lead(key, modified, status="x" * 1000))
        with pytest.raises(SelaSetupError, match="is full"):
            spool.path()


@pytest.fixture
def file_size_limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_file_size_limit_is_a_clear_error(file_size_limit: None) -> None:
    with pytest.raises(SelaSetupError, match=rf"\({errno.errorcode[errno.EFBIG]}\)"), Spool() as spool:
        fill(spool)


def test_a_reject_that_does_not_fit_is_a_clear_error(file_size_limit: None) -> None:
    def fill_rejects(spool: Spool) -> None:
        for number in range(1000):
            spool.reject({"number": number, "text": "x" * 1000})

    with pytest.raises(SelaSetupError, match="EFBIG"), Spool() as spool:
        fill_rejects(spool)
