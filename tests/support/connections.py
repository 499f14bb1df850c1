"""Hooks and transports on a server, and what they log and sleep: fixtures for several suites."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sela.http.exchange import Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.settings import Settings
from tests.support.faults import FaultServer

if TYPE_CHECKING:
    from airflow_provider_sela.hooks.sela import SelaHook


TOKEN = "s3cr3t-t0k3n"


@dataclass
class Fields:
    """The fields of an Airflow connection."""

    conn_id: str = "sela_default"
    conn_type: str | None = "sela"
    password: str | None = TOKEN
    host: str | None = None
    port: int | None = None
    schema: str | None = None
    extra: str | None = None


Connect = Callable[..., Transport]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes a transport to a server; keyword arguments are extras of the connection."""
    made: list[Transport] = []

    def to(server: FaultServer | str, **extra: Any) -> Transport:
        url = server if isinstance(server, str) else server.url
        settings = Settings.from_connection(
            Fields(host=url, password="fault-token", extra=json.dumps({"timeout": 5} | extra))
        )
        made.append(Transport(settings, logging.getLogger("tests.transport")))
        return made[-1]

    yield to
    for transport in made:
        transport.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that jumps instead of sleeping, and what was slept between attempts."""
    seconds: list[float] = []
    real = time.monotonic
    monkeypatch.setattr(Run, "sleep", lambda run, pause: seconds.append(pause))
    monkeypatch.setattr(time, "monotonic", lambda: real() + sum(seconds))
    return seconds


@pytest.fixture
def hook_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SelaHook]]:
    """Makes a hook on a server, over a real Airflow connection."""
    from airflow_provider_sela.hooks.sela import SelaHook

    made: list[SelaHook] = []

    def to(server: FaultServer, **extra: Any) -> SelaHook:
        connection = server.connection(**({"timeout": 5} | extra))
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        made.append(SelaHook())
        return made[-1]

    yield to
    for hook in made:
        hook.close()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Everything logged so far at any level; loggers of newer Airflow write past the standard library."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "urllib3.connection", "requests", "airflow.task"):
        caplog.set_level(logging.DEBUG, logger=name)
    written: list[str] = []

    def text() -> str:
        written.extend(capfd.readouterr())
        records = [
            record.getMessage() + (record.exc_text or "") + repr(record.args) for record in caplog.records
        ]
        return "\n".join([*written, *records])

    return text
