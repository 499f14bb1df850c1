"""The classes that people import."""

from __future__ import annotations

from airflow_provider_sela.exceptions import SelaUnavailableError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.privacy import Privacy
from airflow_provider_sela.retry import SelaRetryPolicy
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger, SelaLeadTrigger

#: What people call; the methods of the others are Airflow's to call.
CALLED = [SelaHook, SelaApi]
CLASSES = [
    *CALLED, SelaLeadsOperator, SelaLeadsToSqlOperator, SelaPlanPartsOperator, SelaReadPartOperator,
    SelaLeadSensor, SelaLeadTrigger, SelaLeadsEventTrigger, SelaRetryPolicy, SelaUnavailableError,
    Privacy,
]  # fmt: skip
