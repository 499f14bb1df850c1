"""SQL Server by pymssql, the driver of Airflow's own provider; the rest is that of any other database."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.exceptions import SelaSetupError, of_connection
from airflow_provider_sela.warehouse.generic import GenericEngine


class SQLServerEngine(GenericEngine):
    """SQL Server, whose driver has to be told to keep microseconds.

    pymssql writes times with three digits of the second unless ``use_datetime2`` is set.
    """

    def open(self) -> Any:
        """Refuse the driver's default before it is asked for anything."""
        conn_id = self.hook.get_conn_id()
        if not self.hook.get_connection(conn_id).extra_dejson.get("use_datetime2"):
            message = 'pymssql cuts microseconds off: add {"use_datetime2": true} to Extra'
            raise SelaSetupError(of_connection(conn_id, message))
        return super().open()
