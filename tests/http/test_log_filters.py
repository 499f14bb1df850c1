from __future__ import annotations

import logging

import pytest

from airflow_provider_sela.http.log_filters import filter_library_logs


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3.connection", "httpx"])
def test_a_filter_is_left_out_of_library_logs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    filter_library_logs()
    caplog.set_level(logging.DEBUG, logger=name)
    url = "https://api.trysela.com/api/leads/?email=ada@example.com"
    logging.getLogger(name).debug('"%s %s" %s %s', "GET", url, 200, None)
    assert caplog.messages == ['"GET https://api.trysela.com/api/leads/?…" 200 None']


def test_what_a_server_answers_is_left_out_of_httpcores_traces(caplog: pytest.LogCaptureFixture) -> None:
    filter_library_logs()
    caplog.set_level(logging.DEBUG, logger="httpcore.http11")
    log = logging.getLogger("httpcore.http11")
    log.debug("receive_response_headers.complete return_value=(302, [(b'Location', b'/?email=ada')])")
    log.debug("receive_response_headers.failed exception=RemoteProtocolError('illegal line: ada')")
    log.debug("send_request_headers.started request=<Request [b'GET']>")
    assert caplog.messages == [
        "receive_response_headers.complete return_value=…",
        "receive_response_headers.failed exception=RemoteProtocolError…",
        "send_request_headers.started request=<Request [b'GET']>",
    ]


def test_other_lines_of_the_libraries_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    filter_library_logs()
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")
    log = logging.getLogger("urllib3.connectionpool")
    log.debug("Starting new connection: %s", "example.com")
    log.debug("%s", "https://elsewhere.example.com/search?q=1")
    log.debug("%(a)s", {"a": "x?y"})
    log.debug("no arguments")
    assert caplog.messages == [
        "Starting new connection: example.com",
        "https://elsewhere.example.com/search?q=1",
        "x?y",
        "no arguments",
    ]


def test_attaching_again_changes_nothing() -> None:
    filter_library_logs()
    before = list(logging.getLogger("httpx").filters)
    filter_library_logs()
    assert logging.getLogger("httpx").filters == before
