"""Tasks and triggers read the environment alike: proxies, what goes past them, and whom TLS trusts."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sela.exceptions import SelaSetupError, SelaUnavailableError
from airflow_provider_sela.http.environment import route
from airflow_provider_sela.settings import Settings
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.triggers.leads import SelaLeadsEventTrigger, SelaLeadTrigger
from tests.http.transports import Read, read_with_httpx
from tests.support.connections import Connect, Fields
from tests.support.faults import FaultServer, nobody, page_body, reply
from tests.support.proxy import Proxy
from tests.support.squid import Squid
from tests.support.tls import Authority
from tests.triggers.waits import connect as connect_triggers
from tests.triggers.waits import first_event, lead, until

GOOD = reply(200, page_body([{"id": 1}]))
VARIABLES = (
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

SetEnvironment = Callable[..., None]
Place = Callable[[Authority], Path]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> SetEnvironment:
    """An environment with nothing in it of what this is about; a call adds to it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def add(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return add


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize(
    ("variables", "proxied"),
    [
        ({}, False),
        ({"http_proxy": "{url}"}, True),
        ({"HTTP_PROXY": "{url}"}, True),
        ({"ALL_PROXY": "{url}"}, True),
        ({"https_proxy": "{url}"}, False),
        # Without a scheme, as many write it.
        ({"http_proxy": "{place}"}, True),
        # The one in lower case counts, and can be set to nothing.
        ({"http_proxy": "", "HTTP_PROXY": "{url}"}, False),
        ({"http_proxy": "{url}", "HTTP_PROXY": "http://127.0.0.1:9"}, True),
        ({"http_proxy": "{url}", "all_proxy": "http://127.0.0.1:9"}, True),
    ],
)
def test_the_proxy_of_the_environment_is_taken(
    read: Read, environment: SetEnvironment, variables: dict[str, str], proxied: bool
) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server:
        place = proxy.url.removeprefix("http://")
        environment(**{name: value.format(url=proxy.url, place=place) for name, value in variables.items()})
        assert read(server).count == 1
    assert len(proxy.requests) == proxied


@pytest.mark.parametrize(
    ("exempt", "proxied"),
    [
        ("127.0.0.1", False),
        ("127.0.0.0/8", False),
        ("10.0.0.0/8", True),
        ("127.0.0.1/8", False),
        ("127.0.0.1,fd00::/8", False),
        ("fd00::/8", True),
        ("::1/128", True),
        ("[::1]", True),
        ("[fd00::]/8,127.0.0.1", False),
        ("127.0.0.1:{port}", False),
        ("127.0.0.1:1", True),
        ("127.0.0.0/8:{port}", False),
        ("127.0.0.0/8:1", True),
        ("http://127.0.0.1", False),
        ("all://127.0.0.1", False),
        ("https://127.0.0.1", True),
        ("example.com,*", False),
        ("*", False),
        (" example.com , 127.0.0.1 ", False),
        ("example.com 127.0.0.1", False),
        ("0.1", True),
        (",", True),
        ("999.999.999.999,127.0.0.0/99", True),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_what_goes_past_the_proxy(
    read: Read, environment: SetEnvironment, name: str, exempt: str, proxied: bool
) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server:
        environment(**{"http_proxy": proxy.url, name: exempt.format(port=server.port)})
        assert read(server).count == 1
    assert len(proxy.requests) == proxied


@pytest.mark.parametrize(
    ("exempt", "proxied"),
    [
        ("localhost", False),
        (".localhost", False),
        ("*.localhost", False),
        ("LOCALHOST.", False),
        ("localhost:{port}", False),
        ("localhost:1", True),
        ("host", True),
        ("sub.localhost", True),
        ("127.0.0.1", True),
    ],
)
def test_a_name_goes_past_the_proxy_with_all_names_below_it(
    read: Read, environment: SetEnvironment, exempt: str, proxied: bool
) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server:
        environment(http_proxy=proxy.url, no_proxy=exempt.format(port=server.port))
        assert read(f"http://localhost:{server.port}").count == 1
    assert len(proxy.requests) == proxied


@pytest.mark.parametrize(
    ("exempt", "proxied"),
    [("::1", False), ("[::1]", False), ("[::1]:{port}", False), ("[::1]:1", True), ("::/64", False),
     ("[::]/64", False), ("127.0.0.0/8", True), ("fd00::/8", True)],
)  # fmt: skip
def test_an_address_of_ipv6_goes_past_the_proxy_too(
    connect: Connect, environment: SetEnvironment, exempt: str, proxied: bool
) -> None:
    with Proxy() as proxy, FaultServer(GOOD, host="::1") as server:
        environment(http_proxy=proxy.url, no_proxy=exempt.format(port=server.port))
        assert connect(server).read({}, 1, 100).count == 1
    assert len(proxy.requests) == proxied


def test_an_address_of_ipv6_goes_past_the_proxy_of_a_trigger_or_is_refused_in_words(
    environment: SetEnvironment,
) -> None:
    """httpcore cannot tell a proxy such an address."""
    with Proxy() as proxy, FaultServer(GOOD, host="::1") as server:
        settings = Settings.from_connection(Fields(host=server.url))
        environment(http_proxy=proxy.url, no_proxy="fd00::/8")
        with pytest.raises(SelaSetupError, match="give Host a name, or put the address into NO_PROXY"):
            read_with_httpx(settings)
        environment(no_proxy="::/64")
        assert read_with_httpx(settings).count == 1
    assert proxy.requests == []


def test_the_proxy_of_the_connection_is_taken_whatever_the_environment_says(
    read: Read, environment: SetEnvironment
) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server, nobody() as place:
        environment(http_proxy=f"http://{place}", no_proxy="*")
        assert read(server, proxy=proxy.url).count == 1
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "value",
    ["socks5://127.0.0.1:9", "ftp://127.0.0.1:9", "http://127.0.0.1:port", "http://.example.com:9",
     "http://a..b:9", "http://exa^mple:9", "http://999.1.1.1:9", "http://1.2.3:9"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_used_is_told_with_the_name_of_its_variable(
    read: Read, environment: SetEnvironment, name: str, value: str
) -> None:
    with FaultServer(GOOD) as server:
        environment(**{name: value.replace("//", "//user:pr0xy-pw@")})
        with pytest.raises(SelaSetupError, match=rf"'sela_default': {name} in the environment") as caught:
            read(server)
    assert "pr0xy-pw" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_told_alike(
    read: Read, environment: SetEnvironment, scheme: str
) -> None:
    with nobody() as place:
        environment(ALL_PROXY=place)
        with pytest.raises(SelaUnavailableError, match="the proxy cannot be reached or refuses"):
            read(f"{scheme}://127.0.0.1:9", max_attempts=1)


def test_the_credentials_of_a_proxy_may_hold_any_character(read: Read, environment: SetEnvironment) -> None:
    with Proxy("us@er:pä:ss/wört") as proxy, FaultServer(GOOD) as server:
        place = proxy.url.removeprefix("http://")
        environment(http_proxy=f"http://us%40er:p%C3%A4%3Ass%2Fw%C3%B6rt@{place}")
        assert read(server).count == 1


@pytest.mark.skipif(version("httpx") == "0.27.0", reason="trusts no https proxy but by the usual authorities")
@pytest.mark.parametrize("tls", [False, True], ids=["http server", "https server"])
def test_a_proxy_that_speaks_https_is_trusted_as_servers_are(
    read: Read, environment: SetEnvironment, authority: Authority, tls: bool
) -> None:
    with Proxy(tls=authority.server()) as proxy:
        environment(ALL_PROXY=proxy.url)
        with FaultServer(GOOD, tls=authority.server() if tls else None) as server:
            assert read(server, verify=str(authority.bundle)).count == 1
            with pytest.raises(SelaSetupError, match="not trusted"):
                read(server, max_attempts=1)
    assert len(server.requests) == 1


def a_file(authority: Authority) -> Path:
    return authority.bundle


def a_plain_folder(authority: Authority) -> Path:
    """As a secret is mounted into a container: a file without an ending, and some without a certificate."""
    folder = authority.bundle.parent / "plain"
    folder.mkdir()
    (folder / "ca").write_bytes(authority.bundle.read_bytes())
    (folder / "README").write_text("no certificate in here")
    (folder / "empty").mkdir()
    (folder / "gone").symlink_to(folder / "nowhere")
    return folder


def a_hashed_folder(authority: Authority) -> Path:
    folder = authority.bundle.parent / "hashed"
    folder.mkdir()
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(authority.bundle)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(authority.bundle.read_bytes())
    return folder


@pytest.mark.parametrize("place", [a_file, a_plain_folder, a_hashed_folder])
@pytest.mark.parametrize("name", ["verify", *BUNDLES])
def test_authorities_are_taken_from_a_file_or_a_folder(
    read: Read,
    environment: SetEnvironment,
    authority: Authority,
    name: str,
    place: Callable[[Authority], Path],
) -> None:
    given = {name: str(place(authority))}
    extra = given if name == "verify" else {}
    if name != "verify":
        environment(**given)
    with FaultServer(GOOD, tls=authority.server()) as server:
        assert read(server, **extra).count == 1


def test_a_list_of_folders_is_taken_and_one_that_is_missing_passed_over(
    read: Read, environment: SetEnvironment, authority: Authority
) -> None:
    environment(SSL_CERT_DIR=f"/no/such/folder:{a_plain_folder(authority)}")
    with FaultServer(GOOD, tls=authority.server()) as server:
        assert read(server).count == 1


@pytest.mark.parametrize("place", range(1, len(BUNDLES)))
def test_the_first_variable_counts(
    read: Read, environment: SetEnvironment, authority: Authority, tmp_path: Path, place: int
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    first, second = BUNDLES[place - 1], BUNDLES[place]
    with FaultServer(GOOD, tls=authority.server()) as server:
        environment(**{first: str(authority.bundle), second: str(other.bundle)})
        assert read(server).count == 1
        environment(**{first: str(other.bundle), second: str(authority.bundle)})
        with pytest.raises(SelaSetupError, match="not trusted"):
            read(server)
        assert read(server, verify=str(authority.bundle)).count == 1


def test_what_is_named_is_trusted_and_nothing_else(
    read: Read, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in addition to the usual authorities: here, the server's is among those."""
    import certifi

    other = authority.bundle.parent / "other"
    other.mkdir()
    monkeypatch.setattr(certifi, "where", lambda: str(authority.bundle))
    with FaultServer(GOOD, tls=authority.server()) as server:
        assert read(server).count == 1
        for place in (Authority(other).bundle, other):
            with pytest.raises(SelaSetupError, match="not trusted"):
                read(server, verify=str(place))


@pytest.mark.parametrize("name", ["verify", *BUNDLES])
@pytest.mark.parametrize("kind", ["missing", "no certificate", "empty folder"])
def test_authorities_that_cannot_be_read_are_told_with_who_named_them(
    read: Read, environment: SetEnvironment, authority: Authority, tmp_path: Path, name: str, kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "no certificate":
        place.write_text("no certificate in here")
    elif kind == "empty folder":
        place.mkdir()
    if name != "verify":
        environment(**{name: str(place)})
    extra = {"verify": str(place)} if name == "verify" else {}
    named = "extra 'verify'" if name == "verify" else f"{name} in the environment"
    with FaultServer(GOOD, tls=authority.server()) as server:
        with pytest.raises(SelaSetupError, match=f"the CA bundle of {named} cannot be read") as caught:
            read(server, **extra)
        assert server.requests == []
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_http_needs_no_authorities(read: Read, environment: SetEnvironment) -> None:
    environment(REQUESTS_CA_BUNDLE="/no/such/bundle.pem")
    with FaultServer(GOOD) as server:
        assert read(server).count == 1


def named_in_the_subject_alone(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost", subject="localhost"))
    return context


def test_a_name_that_is_in_the_subject_alone_is_refused_alike(read: Read, authority: Authority) -> None:
    with FaultServer(GOOD, tls=named_in_the_subject_alone(authority)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(SelaSetupError, match="not trusted"):
            read(url, verify=str(authority.bundle))


CLOSED = """
acl sela dst 127.0.0.1
http_access deny sela
http_access allow all
"""


def test_a_tunnel_through_squid(read: Read, environment: SetEnvironment, authority: Authority) -> None:
    with Squid() as squid, FaultServer(GOOD, tls=authority.server()) as server:
        environment(HTTPS_PROXY=squid.url, NO_PROXY="10.0.0.0/8,fd00::/8")
        assert read(server, verify=str(authority.bundle)).count == 1
        environment(NO_PROXY="10.0.0.0/8,127.0.0.0/8")
        assert read(server, verify=str(authority.bundle)).count == 1
        assert squid.served(1) == ["TCP_TUNNEL/200"]


def test_a_tunnel_that_squid_refuses_is_a_matter_of_set_up(
    read: Read, environment: SetEnvironment, authority: Authority
) -> None:
    with Squid(CLOSED) as squid, FaultServer(GOOD, tls=authority.server()) as server:
        environment(HTTPS_PROXY=squid.url)
        with pytest.raises(SelaSetupError, match=r"the proxy lets nothing through to https://127\.0\.0\.1"):
            read(server, verify=str(authority.bundle))
        assert squid.served(1) == ["TCP_DENIED/403"]


def test_a_request_that_squid_refuses_is_not_taken_for_a_refusal_of_sela(
    read: Read, environment: SetEnvironment
) -> None:
    with Squid(CLOSED) as squid, FaultServer(GOOD) as server:
        environment(HTTP_PROXY=squid.url)
        with pytest.raises(
            SelaSetupError, match="HTTP 403, and not in the API's words: something on the way"
        ):
            read(server)
        assert squid.served(1) == ["TCP_DENIED/403"]
        assert server.requests == []


def test_a_server_that_squid_cannot_reach_is_of_the_moment(read: Read, environment: SetEnvironment) -> None:
    with Squid() as squid, nobody() as place:
        environment(ALL_PROXY=squid.url)
        with pytest.raises(SelaUnavailableError, match="the proxy cannot be reached or refuses"):
            read(f"https://{place}", max_attempts=2)
        assert squid.served(2) == ["NONE_NONE/503"] * 2
        with pytest.raises(SelaUnavailableError, match="HTTP 503"):
            read(f"http://{place}", max_attempts=1)


async def test_a_network_in_no_proxy_ends_no_trigger(
    environment: SetEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SelaApi(leads=[lead(1, external_id="w1")]) as api:
        environment(NO_PROXY="127.0.0.1,fd00::/8", http_proxy="http://127.0.0.1:9")
        connect_triggers(monkeypatch, api)
        trigger = SelaLeadTrigger(external_id="w1", poke_interval=0.1)
        assert (await first_event(trigger))["ids"] == [1]
        watching = asyncio.create_task(first_event(SelaLeadsEventTrigger(poll_interval=0.05)))
        await until(lambda: len(api.requests) > 2)
        api.add(lead(2))
        assert (await watching)["ids"] == [2]


async def test_a_proxy_that_makes_no_client_ends_a_wait_in_words_and_no_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with SelaApi(leads=[lead(1)]) as api:
        # httpx takes no URL above 64 KB.
        connect_triggers(monkeypatch, api, proxy=f"http://user:pr0xy-pw{'w' * 70_000}@127.0.0.1:9")
        failed = await first_event(SelaLeadTrigger(external_id="w1", poke_interval=0.1))
        assert (failed["status"], failed["error"]) == ("failed", "SelaSetupError")
        assert "no request can be sent to" in failed["message"]
        watching = asyncio.create_task(first_event(SelaLeadsEventTrigger(poll_interval=0.05)))
        await until(lambda: "the watch goes on" in caplog.text)
        connect_triggers(monkeypatch, api)
        await until(lambda: len(api.requests) > 2)
        api.add(lead(2))
        assert (await watching)["ids"] == [2]
    assert "pr0xy-pw" not in caplog.text + str(failed)


def test_the_session_of_a_hook_goes_the_same_way_and_heeds_what_its_caller_says(
    connect: Connect, environment: SetEnvironment, authority: Authority
) -> None:
    with Proxy() as proxy, FaultServer(GOOD) as server, FaultServer(GOOD, tls=authority.server()) as other:
        environment(ALL_PROXY=proxy.url, NO_PROXY=f"127.0.0.1:{server.port}")
        session = connect(server).session
        assert session.get(f"{server.url}/x").json()["count"] == 1
        assert proxy.requests == []
        assert session.get(f"{other.url}/x", verify=str(authority.bundle)).json()["count"] == 1
        assert len(proxy.requests) == 1
        direct = {"http": "", "https": ""}
        assert session.get(f"{other.url}/x", verify=str(authority.bundle), proxies=direct).status_code == 200
        assert len(proxy.requests) == 1


SETTINGS = Settings.from_connection(Fields())
NASTY = st.text(alphabet="abc019.:/[]*@,% \u00e4", max_size=20)


@given(exempt=NASTY, proxy=NASTY, host=st.sampled_from(["127.0.0.1", "[::1]", "a.b.c", "[fe80::1%25eth0]"]))
def test_no_environment_makes_a_foreign_error(exempt: str, proxy: str, host: str) -> None:
    said = "https_proxy in the environment"
    with suppress(SelaSetupError):
        said = str(route(f"https://{host}", SETTINGS, {"no_proxy": exempt, "https_proxy": proxy}).authorities)
    assert said in ("https_proxy in the environment", "()")
