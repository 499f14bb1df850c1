"""The triggers: one for a lead that a sensor waits for, one for new leads that start a DAG."""

from __future__ import annotations

from airflow_provider_sela.triggers.events_trigger import SelaLeadsEventTrigger
from airflow_provider_sela.triggers.lead_trigger import SelaLeadTrigger

__all__ = ["SelaLeadTrigger", "SelaLeadsEventTrigger"]
