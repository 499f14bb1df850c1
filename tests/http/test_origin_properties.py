"""However a URL is written: who gets the token is who the HTTP library really calls, and nobody else."""

from __future__ import annotations

import contextlib
from urllib.parse import quote

import httpx
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from airflow_provider_sela.http import async_transport, session
from airflow_provider_sela.settings import Settings
from tests.support.connections import Fields

HOST = "api.trysela.com"
SETTINGS = Settings.from_connection(Fields(password="planted"))

# Browsers and libraries may take these for the name of the host, or for dots in it.
LOOK_ALIKES = (f"\N{CYRILLIC SMALL LETTER A}{HOST[1:]}", HOST.replace(".", "\N{IDEOGRAPHIC FULL STOP}"))
HOSTS = (HOST, HOST.upper(), f"{HOST}.", *LOOK_ALIKES, "evil.example", f"{HOST}.evil.example", "[::1]")
MARKS = (
    "@", "\\", "/", "//", "?", "#", ":", ":443", ":80", ":8443", ":0443", "%2f", "%40", "%00", "\t", "\n",
    " ", ";", "&", ".", "..", "user", "user:pw",
)  # fmt: skip
_parts = st.sampled_from(HOSTS + MARKS)
_urls = st.builds(
    lambda scheme, parts: scheme + "".join(parts),
    st.sampled_from(["https://", "http://", "HTTPS://", "https:/", "https:", "//", "ftp://", "https:\\\\"]),
    st.lists(_parts, min_size=1, max_size=6),
) | st.text(st.characters(codec="utf-8")).map(lambda text: f"https://{HOST}{text}")


@given(_urls)
@example(f"https://{HOST}@evil.example/")
@example(f"https://evil.example\\@{HOST}/")
@example(f"https://{HOST}:443@evil.example/")
@example(f"https://{HOST}\\.evil.example/")
@example(f"https://{HOST}:8443/")
@example(f"http://{HOST}/")
@example(f"https://{LOOK_ALIKES[0]}/")
@example(f"https://{LOOK_ALIKES[1]}/")
def test_requests_shows_the_token_to_the_configured_origin_only(url: str) -> None:
    request = requests.Request("GET", url, auth=session.TokenAuth(SETTINGS))
    try:
        prepared = request.prepare()
    except (requests.RequestException, ValueError):
        return
    called = parse_url(prepared.url or "")
    ours = (called.scheme, called.host, called.port or 443) == ("https", HOST, 443)
    assert ("Authorization" in prepared.headers) <= ours, prepared.url


@given(_urls)
@example(f"https://{HOST}@evil.example/")
@example(f"https://evil.example\\@{HOST}/")
@example(f"https://{HOST}:8443/")
@example(f"https://{LOOK_ALIKES[0]}/")
@example(f"https://{LOOK_ALIKES[1]}/")
def test_httpx_shows_the_token_to_the_configured_origin_only(url: str) -> None:
    try:
        request = httpx.Request("GET", url)
    except (httpx.InvalidURL, ValueError, TypeError):
        return
    with contextlib.suppress(ValueError):
        next(async_transport.TokenAuth(SETTINGS).auth_flow(request))
    called = request.url
    ours = (called.scheme, called.host, called.port or 443) == ("https", HOST, 443)
    assert ("Authorization" in request.headers) <= ours, str(called)


@given(st.text(max_size=10))
def test_the_token_is_shown_at_every_path_of_the_origin(path: str) -> None:
    """Or the two tests above would hold for a session that never shows it."""
    for spelled in (f"https://{HOST}", f"https://{HOST}:443", f"HTTPS://{HOST.upper()}"):
        url = f"{spelled}/{quote(path, errors='replace')}"
        prepared = requests.Request("GET", url, auth=session.TokenAuth(SETTINGS)).prepare()
        assert prepared.headers["Authorization"] == "Token planted"
