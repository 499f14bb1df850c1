"""Apache Airflow provider for Sela: leads, complete and typed, in your own warehouse.

Airflow imports this module at every start to discover the provider, so the module imports nothing
of ours, and the function only the form, which costs no more than the standard library.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow (entry point ``apache_airflow_provider``)."""
    from airflow_provider_sela.hooks.form import connection_type

    uris = {
        "schemes": ["sela"],
        "handler": "airflow_provider_sela.assets.sanitize_uri",
        "factory": "airflow_provider_sela.assets.create_asset",
        "to_openlineage_converter": "airflow_provider_sela.assets.convert_asset_to_openlineage",
    }
    return {
        "package-name": "airflow-provider-sela",
        "name": "Sela",
        # reStructuredText, as Airflow wants it.
        "description": "Leads of `Sela <https://trysela.com>`__, complete and typed, in your own warehouse.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": "Sela", "external-doc-url": "https://trysela.com", "tags": ["service"]}
        ],
        "operators": _modules("operators.base", "operators.leads", "operators.parts"),
        "sensors": _modules("sensors.leads"),
        "hooks": _modules("hooks.sela"),
        "triggers": _modules("triggers.leads"),
        "transfers": [
            {
                "source-integration-name": "Sela",
                "target-integration-name": "Common SQL",
                "python-module": "airflow_provider_sela.transfers.leads_to_sql",
            }
        ],
        "connection-types": [connection_type()],
        "cli": ["airflow_provider_sela.cli.get_sela_commands"],
        "asset-uris": [uris],
        # The same key in Airflow 2.
        "dataset-uris": [uris],
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [
        {"integration-name": "Sela", "python-modules": [f"airflow_provider_sela.{name}" for name in names]}
    ]
