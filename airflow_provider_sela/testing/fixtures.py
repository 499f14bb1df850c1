"""Fixtures for pytest; name this module in ``pytest_plugins``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_sela.testing.server import SelaApi


@pytest.fixture
def sela_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SelaApi]:
    """Serve 250 sample leads, a fresh set for each test, and make ``sela_default`` the connection to them."""
    with SelaApi(leads=250) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        yield api
