"""DAGs that a real scheduler and triggerer run: waits in every mode, and a DAG that new leads start."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    # A task that is due again before the scheduler has heard that it was put off is taken for lost.
    "reschedule": {"mode": "reschedule", "poke_interval": 15},
    "deferrable": {"deferrable": True},
    "direct": {"deferrable": True, "start_from_trigger": True},
}


def sensor(task_id: str, external_id: str, **kwargs: Any) -> SelaLeadSensor:
    """A sensor that looks every second."""
    return SelaLeadSensor(
        task_id=task_id, external_id=external_id, **{"poke_interval": 1, "timeout": 180, **kwargs}
    )


with DAG("waits", schedule=None, params={"found": "found"}):
    for name, mode in MODES.items():
        sensor(f"found_{name}", "{{ params.found }}", **mode)

with DAG("ends", schedule=None):
    sensor("restart", "restart", deferrable=True)
    sensor("timeout", "never", deferrable=True, timeout=20, retries=3)
    sensor("timeout_soft", "never", deferrable=True, timeout=20, soft_fail=True)
    sensor("revoked", "never", deferrable=True, soft_fail=True, retries=3, sela_conn_id="sela_revoked")

new_leads = Asset(
    "new_leads", watchers=[AssetWatcher(name="sela", trigger=SelaLeadsEventTrigger(poll_interval=1))]
)

with DAG("lands", schedule=[new_leads]):

    @task
    def ids(triggering_asset_events: Any = None) -> list[int]:
        """The ids that started this run."""
        return [
            number
            for events in triggering_asset_events.values()
            for event in events
            for number in event.extra["payload"]["ids"]
        ]

    ids()
