"""Running triggers as the triggerer does, without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_sela.testing import Request, Response, SelaApi, sample_lead


async def first_event(trigger: BaseTrigger, seconds: float = 10) -> Any:
    """Payload of the first event."""
    async with asyncio.timeout(seconds):
        async for event in trigger.run():
            return event.payload
    raise AssertionError("the trigger ended without an event")


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something that happens in another thread."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (the other side is a thread)
            await asyncio.sleep(0.02)


def connect(monkeypatch: Any, server: Any, **extra: Any) -> None:
    """Make ``sela_default`` the connection to a server."""
    connection = dict(server.connection) if isinstance(server, SelaApi) else server.connection()
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps({**connection, "extra": extra}))


def lead(number: int, **fields: Any) -> dict[str, Any]:
    """A sample lead with some fields of our own."""
    return {**sample_lead(number), **fields}


class Reversed(SelaApi):
    """The list with the newest id first."""

    def select(self, filters: dict[str, str]) -> Any:
        return sorted(super().select(filters), key=lambda item: -item["id"])


class Shuffled(SelaApi):
    """The list in no order at all, but always the same."""

    def select(self, filters: dict[str, str]) -> Any:
        return sorted(super().select(filters), key=lambda item: item["id"] * 7919 % 1009)


class Unfiltered(SelaApi):
    """A server that ignores ``external_id``."""

    def select(self, filters: dict[str, str]) -> Any:
        return super().select({name: value for name, value in filters.items() if name != "external_id"})


class Substring(SelaApi):
    """A server that matches ``external_id`` by substring."""

    def select(self, filters: dict[str, str]) -> Any:
        wanted = filters.get("external_id")
        rest = super().select({name: value for name, value in filters.items() if name != "external_id"})
        return [item for item in rest if wanted is None or wanted in str(item["external_id"])]


class Shrinking(SelaApi):
    """Keeps 50 leads when a page behind the first is asked for, the first time."""

    shrunk = False

    def respond(self, request: Request) -> Response:
        if not self.shrunk and request.query.get("page", "1") != "1":
            self.shrunk = True
            for number in list(self.leads)[50:]:
                self.delete(number)
        return super().respond(request)


def point_queries(api: SelaApi) -> Iterable[Any]:
    """Requests for one lead."""
    return [request for request in api.requests if "external_id" in request.query]
