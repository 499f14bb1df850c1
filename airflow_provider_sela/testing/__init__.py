"""A Sela API on loopback, with made-up leads: for the demo, our tests and your own DAG tests.

As a context manager::

    with SelaApi(leads=250) as api:
        ...  # api.url, api.connection, api.requests, api.update(28000, status="CLOSED")

as a pytest fixture, ``sela_api``, after ``pytest_plugins = ["airflow_provider_sela.testing.fixtures"]``, and
as a process: ``python -m airflow_provider_sela.testing``.
"""

from __future__ import annotations

from airflow_provider_sela.testing.drf import InvalidPage, Page
from airflow_provider_sela.testing.samples import sample_lead, sample_leads
from airflow_provider_sela.testing.server import SelaApi
from airflow_provider_sela.testing.wire import Request, Response

__all__ = ["InvalidPage", "Page", "Request", "Response", "SelaApi", "sample_lead", "sample_leads"]
