from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.settings import EXTRA_FIELDS, Settings
from tests.http.transports import Read, read
from tests.support.connections import TOKEN, Fields
from tests.support.faults import FaultServer, page_body, reply

__all__ = ["read"]


def of(**values: Any) -> Settings:
    return Settings.from_connection(replace(Fields(), **values))


def with_extra(**extra: Any) -> Settings:
    return of(extra=json.dumps(extra))


def refusal(**values: Any) -> str:
    with pytest.raises(SelaSetupError) as caught:
        of(**values)
    assert TOKEN not in str(caught.value)
    assert str(caught.value).startswith("connection 'sela_default': ")
    return str(caught.value)


def test_a_token_is_all_that_is_needed() -> None:
    settings = of()
    assert settings.base_url == "https://api.trysela.com"
    assert settings.authorization == f"Token {TOKEN}"
    assert (settings.timeout, settings.page_size, settings.max_attempts) == (30, 100, 5)
    assert (settings.retry_budget, settings.concurrency, settings.requests_per_second) == (600, 4, None)
    assert (settings.verify, settings.proxy) == (True, None)


@pytest.mark.parametrize("password", [None, "", "  "])
def test_a_missing_token_is_refused_naming_connection_and_field(password: str | None) -> None:
    assert "Password" in refusal(password=password)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "https://api.trysela.com"),
        ("  ", "https://api.trysela.com"),
        ("api.trysela.com", "https://api.trysela.com"),
        ("https://api.trysela.com", "https://api.trysela.com"),
        ("https://api.trysela.com/", "https://api.trysela.com"),
        ("https://API.TrySela.com:443", "https://api.trysela.com"),
        (" https://api.trysela.com/api/leads/ ", "https://api.trysela.com"),
        ("https://api.trysela.com/api/", "https://api.trysela.com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://gateway.example.com/sela", "https://gateway.example.com/sela"),
        ("https://gateway.example.com/sela/api/leads", "https://gateway.example.com/sela"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("::1", "https://[::1]"),
        ("[::1]", "https://[::1]"),
        ("http://::1", "http://[::1]"),
        ("2001:DB8::1", "https://[2001:db8::1]"),
        ("[2001:db8::1]:8443/base", "https://[2001:db8::1]:8443/base"),
    ],
)
def test_host_is_understood_in_every_usual_spelling(host: str | None, url: str) -> None:
    assert of(host=host).base_url == url


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("example.com", 8443, "https://example.com:8443"),
        ("http://example.com", 8080, "http://example.com:8080"),
        ("http://example.com", 80, "http://example.com"),
        ("https://example.com/base", 8443, "https://example.com:8443/base"),
        ("example.com:9443", 8443, "https://example.com:9443"),
        ("http://[::1]", 81, "http://[::1]:81"),
        ("::1", 81, "https://[::1]:81"),
        ("example.com", 0, "https://example.com"),
        (None, 443, "https://api.trysela.com"),
        (None, 8443, "https://api.trysela.com:8443"),
    ],
)
def test_the_port_field_counts_where_host_has_no_port(host: str | None, port: int, url: str) -> None:
    assert of(host=host, port=port).base_url == url


def test_the_schema_field_chooses_the_scheme_where_host_has_none() -> None:
    assert of(host="example.com", schema="http").base_url == "http://example.com"
    assert of(host="https://example.com", schema="http").base_url == "https://example.com"


@pytest.mark.parametrize(
    ("host", "port"),
    [("ftp://example.com", None), ("https://", None), ("http://h:99999", None), ("http://[:", None),
     ("h:x", None), ("example.com", 70000), ("example.com", -1)],
)  # fmt: skip
def test_a_host_or_port_that_makes_no_url_is_refused(host: str, port: int | None) -> None:
    assert "Host and Port" in refusal(host=host, port=port)


@pytest.mark.parametrize(
    "host", ["https://user@h", "https://u:pw@h", "https://h?x=1", "https://h#x", "user:pw@h"]
)
def test_a_host_with_more_than_an_address_is_refused_without_quoting_it(host: str) -> None:
    message = refusal(host=host)
    assert "only scheme, host, port and path" in message
    assert "pw" not in message


@pytest.mark.parametrize("host", ["api.trysela .com", "bücher.example", "api.trysela.com\u200b", "a\x00b"])
def test_a_host_with_a_character_that_no_url_has_is_refused(host: str) -> None:
    assert "Host holds a space or a character" in refusal(host=host)


@pytest.mark.parametrize("item", EXTRA_FIELDS, ids=lambda item: item.name)
@pytest.mark.parametrize("unset", [None, ""])
def test_an_extra_that_the_form_left_null_or_empty_means_unset(item: Any, unset: Any) -> None:
    assert with_extra(**{item.name: unset}) == of()


@pytest.mark.parametrize(
    "item", [item for item in EXTRA_FIELDS if item.kind != "string"], ids=lambda item: item.name
)
def test_each_number_is_accepted_up_to_its_bounds_and_refused_beyond(item: Any) -> None:
    for bound in (item.minimum, item.maximum):
        assert getattr(with_extra(**{item.name: bound}), item.name) == bound
        # A connection written as a URI carries every extra as text.
        assert getattr(with_extra(**{item.name: str(bound)}), item.name) == bound
    for beyond in (item.minimum - 1, item.maximum + 1):
        message = refusal(extra=json.dumps({item.name: beyond}))
        assert f"{item.name!r} ({item.title})" in message
        assert f"allowed is {item.minimum} to {item.maximum}" in message


@pytest.mark.parametrize(
    "item", [item for item in EXTRA_FIELDS if item.kind != "string"], ids=lambda item: item.name
)
@pytest.mark.parametrize("bad", ["many", True, False, [], {}, "nan", "Infinity", 10**400])
def test_what_is_no_number_is_refused_with_the_fields_name(item: Any, bad: Any) -> None:
    message = refusal(extra=json.dumps({item.name: bad}))
    assert f"{item.name!r} ({item.title})" in message
    assert "number is expected" in message


@pytest.mark.parametrize("name", ["page_size", "max_attempts", "concurrency"])
def test_a_fraction_is_refused_where_a_whole_number_is_meant(name: str) -> None:
    assert "a whole number" in refusal(extra=json.dumps({name: 2.5}))
    assert getattr(with_extra(**{name: 2.0}), name) == 2


@pytest.mark.parametrize("name", ["verify", "proxy"])
@pytest.mark.parametrize("bad", [5, [], {}, False])
def test_what_is_no_text_is_refused_with_the_fields_name(name: str, bad: Any) -> None:
    assert f"{name!r}" in refusal(extra=json.dumps({name: bad}))


def test_verify_true_means_the_usual_authorities() -> None:
    assert with_extra(verify=True).verify is True
    assert with_extra(verify="/etc/ssl/company.pem").verify == "/etc/ssl/company.pem"


@pytest.mark.parametrize("proxy", ["proxy.example.com:3128", "not a url", "socks5://u:pw@h:1"])
def test_a_proxy_that_is_no_url_is_refused_without_quoting_it(proxy: str) -> None:
    message = refusal(extra=json.dumps({"proxy": proxy}))
    assert "'proxy'" in message
    assert "pw" not in message


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("{", "not valid JSON"),
        ("[" * 100000, "not valid JSON"),
        ("[]", "no object"),
        ("5", "no object"),
        ('"x"', "no object"),
    ],
)
def test_odd_json_in_extra_is_refused(extra: str, words: str) -> None:
    assert words in refusal(extra=extra)


def test_unknown_extras_are_kept_by_name_with_the_one_that_is_meant() -> None:
    given = with_extra(pagesize=500, Timeout=3, something_else="s3cr3t", timeout=5, unset=None, empty="")
    assert given == with_extra(timeout=5)
    assert given.unknown_extras == {"pagesize": "page_size", "Timeout": "timeout", "something_else": None}
    assert "s3cr3t" not in repr(given)


def test_neither_token_nor_proxy_password_shows_in_a_repr() -> None:
    settings = with_extra(proxy="http://user:pr0xy-pw@proxy.example.com:3128")
    assert TOKEN not in repr(settings)
    assert "pr0xy-pw" not in repr(settings)


def test_every_extra_of_the_form_is_a_setting() -> None:
    assert {item.name for item in EXTRA_FIELDS} <= {item.name for item in fields(Settings)}


@pytest.mark.parametrize("conn_type", ["postgres", "aws", "snowflake", "duckdb", "selah"])
def test_the_password_of_a_connection_of_another_type_is_no_token(conn_type: str) -> None:
    """As where two parameters of a task were swapped: without a Host it would go to Sela."""
    told = refusal(conn_type=conn_type)
    assert f"it is of type '{conn_type}', whose password is not sent to anybody" in told


@pytest.mark.parametrize("conn_type", ["sela", "Sela", "generic", "http", "https", "", None])
def test_a_connection_that_says_nothing_of_its_use_will_do(conn_type: str | None) -> None:
    assert of(conn_type=conn_type).authorization == f"Token {TOKEN}"


@pytest.mark.parametrize(
    ("uri", "url", "timeout"),
    [
        ("sela://:TOKEN@api.example.com:8443/http?timeout=5&concurrency=2", "http://api.example.com:8443", 5),
        ("sela://:TOKEN@/?timeout=7", "https://api.trysela.com", 7),
        ("sela://:TOKEN@https%3A%2F%2Fapi.example.com", "https://api.example.com", 30),
        ("sela://:TOKEN@api.example.com?page_size=50", "https://api.example.com", 30),
    ],
)
def test_a_connection_written_as_a_uri_is_understood(uri: str, url: str, timeout: float) -> None:
    """As in ``AIRFLOW_CONN_SELA_DEFAULT`` and ``airflow connections add --conn-uri``."""
    from airflow.models.connection import Connection

    settings = Settings.from_connection(Connection(conn_id="sela_default", uri=uri.replace("TOKEN", TOKEN)))
    assert (settings.base_url, settings.timeout) == (url, timeout)
    assert settings.authorization == f"Token {TOKEN}"


@pytest.mark.parametrize("uri", [
    "sela://:TOKEN@[::1]:{port}/http",
    "sela://:TOKEN@%3A%3A1:{port}/http",
    "sela://:TOKEN@http%3A%2F%2F%5B%3A%3A1%5D%3A{port}",
    "sela://http://:TOKEN@%5B%3A%3A1%5D:{port}",
])  # fmt: skip
def test_a_host_of_ipv6_is_reached_by_any_spelling_of_a_uri(uri: str, read: Read) -> None:
    """Airflow takes the brackets from the first, and writes the others itself."""
    from airflow.models.connection import Connection

    with FaultServer(reply(200, page_body([{"id": 1}])), host="::1") as server:
        text = uri.format(port=server.port).replace("TOKEN", TOKEN)
        written = Connection(conn_id="sela_default", uri=text)
        for connection in (written, Connection(conn_id="sela_default", uri=written.get_uri())):
            base_url = Settings.from_connection(connection).base_url
            assert base_url == server.url
            assert read(base_url).count == 1


@pytest.mark.airflow
def test_a_connection_added_on_the_command_line_is_understood(airflow_db: None) -> None:
    from airflow.cli import cli_parser
    from airflow.models.connection import Connection

    extra = json.dumps({"timeout": 12, "page_size": None, "proxy": ""})
    words = ["connections", "add", "sela_cli", "--conn-type", "sela", "--conn-password", TOKEN]
    arguments = cli_parser.get_parser().parse_args(
        [*words, "--conn-host", "h.example", "--conn-extra", extra]
    )
    arguments.func(arguments)
    settings = Settings.from_connection(Connection.get_connection_from_secrets("sela_cli"))
    assert (settings.base_url, settings.timeout) == ("https://h.example", 12)
    assert settings.authorization == f"Token {TOKEN}"
