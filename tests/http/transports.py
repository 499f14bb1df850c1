"""Both transports behind one name, for promises that both keep."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import pytest

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.http.async_transport import shared_transport
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.settings import Settings
from tests.support.connections import Fields
from tests.support.faults import FaultServer

LOG = logging.getLogger(__name__)


class Read(Protocol):
    """Reads page 1 of a server; keyword arguments are extras of the connection."""

    def __call__(self, server: FaultServer | str, **extra: Any) -> Page[Lead]: ...


def read_with_requests(settings: Settings) -> Page[Lead]:
    transport = Transport(settings, LOG)
    try:
        return transport.read({}, 1, 100)
    finally:
        transport.close()


def read_with_httpx(settings: Settings) -> Page[Lead]:
    async def ask() -> Page[Lead]:
        async with shared_transport(settings) as transport:
            return await transport.read({}, 1, 100, LOG)

    return asyncio.run(ask())


@pytest.fixture(params=[read_with_requests, read_with_httpx], ids=["requests", "httpx"])
def read(request: pytest.FixtureRequest) -> Read:
    """Each transport in turn."""
    return partial(_page_one, request.param)


def _page_one(ask: Callable[[Settings], Page[Lead]], server: FaultServer | str, **extra: Any) -> Page[Lead]:
    url = server if isinstance(server, str) else server.url
    fields = Fields(host=url, password="fault-token", extra=json.dumps({"timeout": 5} | extra))
    return ask(Settings.from_connection(fields))
