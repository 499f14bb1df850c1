"""An answer of any size, packed in any way, takes no more memory than one page may take."""

from __future__ import annotations

import zlib
from functools import cache

import pytest

from airflow_provider_sela.exceptions import SelaResponseError
from airflow_provider_sela.http.exchange import MAX_BODY_BYTES
from tests.http.transports import Read
from tests.support.faults import FaultServer, reply
from tests.support.memory import traced

#: A block as it arrives, unpacked, and the body so far, once as it grows and once as it is copied.
_MOST = 2 * MAX_BODY_BYTES + (80 << 20)


@cache
def bomb(size: int = 256 << 20) -> bytes:
    """Gzip of so many spaces."""
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20)), packer.flush()])


def _refused(read: Read, url: str, words: str) -> None:
    with pytest.raises(SelaResponseError, match=words):
        read(url, max_attempts=1, timeout=60)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_bomb_is_refused_within_bounded_memory(layers: int, read: Read) -> None:
    body, encoding = bomb(), "gzip"
    if layers == 2:
        body, encoding = zlib.compress(body, wbits=31), "gzip, gzip"
    words = "larger than 64 MB" if layers == 1 else "packed otherwise"
    with FaultServer(reply(200, body, Content_Encoding=encoding)) as server:
        peak = traced(_refused, read, server.url, words).peak
    assert peak < (_MOST if layers == 1 else 8 << 20)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "compress", "gzip, gzip", "gzip, br"])
def test_what_was_not_asked_for_is_not_unpacked(encoding: str, read: Read) -> None:
    with (
        FaultServer(reply(200, b"\x00" * 100, Content_Encoding=encoding)) as server,
        pytest.raises(SelaResponseError, match=r"packed otherwise than asked for \(gzip\)"),
    ):
        read(server, max_attempts=1)
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_a_plain_answer_may_say_that_it_is_plain(encoding: str, read: Read) -> None:
    with FaultServer(reply(Content_Encoding=encoding)) as server:
        assert read(server).count == 0
