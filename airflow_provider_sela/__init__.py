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
        "description": "Leads of [Sela](https://trysela.com), complete and typed, in your own warehouse.",
        "versions": [__version__],
        "connection-types": [connection_type()],
        "cli": ["airflow_provider_sela.cli.get_sela_commands"],
        "asset-uris": [uris],
        # The same key in Airflow 2.
        "dataset-uris": [uris],
    }
