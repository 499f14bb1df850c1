"""Keeps what a filter selects by (an e-mail address, a phone number) out of the HTTP libraries' own logs."""

from __future__ import annotations

import logging

from airflow_provider_sela.api import LEADS_PATH

# urllib3 logs each request line at DEBUG and, where headers are malformed, the URL at WARNING; httpx each URL
# at INFO.
_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "httpx")


class _WithoutQuery(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_query(value) for value in record.args)
        return True


def _without_query(value: object) -> object:
    if isinstance(value, int | float | None):
        return value
    text = str(value)
    path, found, _ = text.partition("?")
    return f"{path}?…" if found and LEADS_PATH in path else value


_FILTER = _WithoutQuery()


def redact_library_logs() -> None:
    """Attach the filter; attaching it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
