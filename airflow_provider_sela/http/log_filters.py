"""Keeps what a filter selects by (an e-mail address, a phone number) out of the HTTP libraries' own logs."""

from __future__ import annotations

import logging
import re

from airflow_provider_sela.api.request import LEADS_PATH

# urllib3 logs each request line at DEBUG and, where headers are malformed, the URL at WARNING; httpx each URL
# at INFO.
_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "httpx")
# httpcore logs response headers at DEBUG, and a redirect's Location repeats the query.
_TRACES = ("httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")
_TRACED = re.compile(r"(return_value=|exception=\w+).*", re.DOTALL)


class _WithoutQuery(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_query(value) for value in record.args)
        return True


class _WithoutValues(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _TRACED.sub(r"\1…", str(record.msg))
        return True


def _without_query(value: object) -> object:
    if isinstance(value, int | float | None):
        return value
    text = str(value)
    path, found, _ = text.partition("?")
    return f"{path}?…" if found and LEADS_PATH in path else value


_FILTER = _WithoutQuery()
_TRACE_FILTER = _WithoutValues()


def filter_library_logs() -> None:
    """Attach the filter; attaching it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
    for name in _TRACES:
        logging.getLogger(name).addFilter(_TRACE_FILTER)
