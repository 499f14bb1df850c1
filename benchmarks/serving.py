"""A Sela API that is never the bottleneck: leads rendered beforehand, one event loop, a process of its own.

It answers ``GET /api/leads/`` by ``page`` and ``page_size`` like the sample API, in the order of ids, and
does nothing else: no filters, no errors. A page is a slice of one piece of memory.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from functools import partial
from itertools import accumulate
from multiprocessing.connection import Connection
from typing import cast

from airflow_provider_sela.testing import sample_lead

TOKEN = "benchmark-token"  # noqa: S105
#: Who reads with this one is given the same leads later, when one in a hundred has changed.
LATER = "benchmark-token-later"
FIRST_ID = 28000
CAP = 1000


class Pages:
    """All answers of the list, which are slices of its leads.

    :param leads: the leads, rendered.
    """

    def __init__(self, leads: Sequence[bytes]) -> None:
        self._places = [0, *accumulate(len(lead) + 1 for lead in leads)]
        self._data = memoryview(b",".join((*leads, b"")))

    def answer(self, query: dict[bytes, bytes], url: bytes) -> list[bytes | memoryview]:
        """The parts of one HTTP response."""
        total = len(self._places) - 1
        size = min(int(query.get(b"page_size", b"100")), CAP)
        page = int(query.get(b"page", b"1"))
        last = max(-(-total // size), 1)
        if not 1 <= page <= last:
            return _response(b"404 Not Found", [b'{"detail":"Invalid page."}'])
        begin, end = (self._places[min(place, total)] for place in ((page - 1) * size, page * size))
        links = [
            b'"%b?page=%d&page_size=%d"' % (url, number, size) if 1 <= number <= last else b"null"
            for number in (page + 1, page - 1)
        ]
        head = b'{"count":%d,"next":%b,"previous":%b,"results":[' % (total, links[0], links[1])
        return _response(b"200 OK", [head, self._data[begin : max(end - 1, begin)], b"]}"])


def _rendered(lead_id: int, **changes: str) -> bytes:
    lead = {**sample_lead(lead_id), **changes}
    return json.dumps(lead, ensure_ascii=False, separators=(",", ":")).encode()


def _changed(lead_id: int, lead: bytes) -> bytes:
    """A lead as it is later: one in a hundred is another one then."""
    if lead_id % 100:
        return lead
    return _rendered(lead_id, status="CLOSED", modified_time="2026-11-01T06:00:00.000000+00:00")


def _response(status: bytes, body: list[bytes | memoryview]) -> list[bytes | memoryview]:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nDate: %b\r\n\r\n"
    return [head % (status, sum(map(len, body)), formatdate(usegmt=True).encode()), *body]


class _Client(asyncio.Protocol):
    def __init__(self, pages: Pages, later: Pages, latency: float, url: bytes) -> None:
        self._pages, self._later, self._latency, self._url = pages, later, latency, url
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            query = request.partition(b" HTTP/1.1\r\n")[0].partition(b"?")[2]
            pairs = (pair.partition(b"=") for pair in query.split(b"&"))
            pages = self._later if LATER.encode() in request else self._pages
            parts = pages.answer({name: value for name, _, value in pairs}, self._url)
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._send, parts)
            else:
                self._send(parts)

    def _send(self, parts: list[bytes | memoryview]) -> None:
        if not self._transport.is_closing():
            self._transport.writelines(parts)


async def _serve(number: int, latencies: list[float], later: bool, pipe: Connection) -> None:
    loop, ids = asyncio.get_running_loop(), range(FIRST_ID, FIRST_ID + number)
    leads = list(map(_rendered, ids))
    pages = Pages(leads)
    changed = Pages(list(map(_changed, ids, leads))) if later else pages
    del leads
    ports = []
    for latency in latencies:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        client = partial(_Client, pages, changed, latency, b"http://127.0.0.1:%d/api/leads/" % port)
        await loop.create_server(client, sock=listener)
        ports.append(port)
    pipe.send(ports)
    await asyncio.Event().wait()


def _process(leads: int, latencies: list[float], later: bool, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(leads, latencies, later, pipe))


@contextmanager
def serving(leads: int, latencies: list[float], *, later: bool = True) -> Iterator[dict[float, str]]:
    """Serve leads as long as the block lasts; gives the base URL for each latency.

    :param latencies: seconds to wait before each answer.
    :param later: whether :data:`LATER` is answered otherwise.
    """
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=_process, args=(leads, latencies, later, far), daemon=True)
    process.start()
    try:
        yield dict(zip(latencies, (f"http://127.0.0.1:{port}" for port in near.recv()), strict=True))
    finally:
        process.terminate()
        process.join()
