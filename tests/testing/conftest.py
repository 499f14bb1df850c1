"""Both servers of the contract tests, started once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from airflow_provider_sela.testing import SelaApi, sample_leads
from tests.testing import drf_app
from tests.testing.client import connect
from tests.testing.side_by_side import Pair


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    drf_app.create_database()
    with SelaApi(sample_leads(123), page_size=10, max_page_size=50) as api, drf_app.served() as url:
        drf_app.replace_leads((lead, api.user_of(lead)) for lead in api.leads.values())
        with closing(connect(url)) as drf, closing(connect(api.url)) as ours:
            yield Pair(api, drf, ours, url)


@pytest.fixture
def empty(pair: Pair) -> Iterator[Pair]:
    kept = dict(pair.api.leads)
    drf_app.replace_leads([])
    pair.api.leads.clear()
    yield pair
    pair.api.leads.update(kept)
    drf_app.replace_leads((lead, pair.api.user_of(lead)) for lead in kept.values())
