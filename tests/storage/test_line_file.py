from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.storage.line_file import LineFile, in_files, in_pieces, take_files
from tests.support import disks


def test_lines_come_back_in_their_order_as_often_as_they_are_asked_for() -> None:
    with LineFile() as file:
        assert (list(file), file.longest) == ([], 0)
        file.write([b"a", b"", b"ccc"])
        file.write([b"bb"])
        assert [list(file), list(file)] == [[b"a", b"", b"ccc", b"bb"]] * 2
        assert Path(file.path).read_bytes() == b"a\n\nccc\nbb\n"
        assert file.longest == 3


def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk.path))
        with pytest.raises(SelaSetupError, match="is full"), LineFile() as file:
            file.write([b"x" * 1000] * 1000)


@pytest.mark.parametrize(
    ("most", "expected"),
    [((4,), ["aa bb", "cccccc", "d"]), ((100,), ["aa bb cccccc d"]), ((100, 2), ["aa bb", "cccccc d"])],
)
def test_pieces_hold_whole_lines(most: tuple[int, ...], expected: list[str]) -> None:
    pieces = list(in_pieces([b"aa", b"bb", b"cccccc", b"d"], *most))
    assert [b" ".join(piece).decode() for piece in pieces] == expected
    assert list(in_pieces([], *most)) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([b"aaa"], [[b"aaa"]]),
        ([b"aaa", b"bbb", b"ccc"], [[b"aaa", b"bbb"], [b"ccc"]]),
        ([b"aaa", b"bbb", b"cccccccc"], [[b"aaa", b"bbb"], [b"cccccccc"]]),
    ],
)
def test_files_hold_whole_lines(
    monkeypatch: pytest.MonkeyPatch, lines: list[bytes], expected: list[list[bytes]]
) -> None:
    monkeypatch.setattr("airflow_provider_sela.storage.line_file._BLOCK_BYTES", 4)
    files = list(in_files(lines, 8))
    assert [list(file) for file in files] == expected
    for file in files:
        file.close()


def test_a_reader_has_work_early_and_each_file_is_closed_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_sela.storage.line_file._FIRST_BYTES", 8)
    taken: list[LineFile] = []
    sizes: list[int] = []

    def take(file: LineFile) -> None:
        taken.append(file)
        sizes.append(len(list(file)))

    take_files([b"aaa"] * 40, 32, take)
    assert sizes == [2, 4, 8, 8, 8, 8, 2]
    for file in taken:
        with pytest.raises(ValueError, match="closed"):
            _ = file.path


def test_what_a_reader_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_sela.storage.line_file._FIRST_BYTES", 8)
    made: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"aaa"

    def take(file: LineFile) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take_files(lines(), 8, take)
    assert len(made) < 10
