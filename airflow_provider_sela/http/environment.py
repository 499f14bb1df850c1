"""Which proxy and which certificate authorities apply, told from a connection and the environment.

``requests`` and ``httpx`` each read the environment by rules of their own, so both are kept from reading it:
:func:`route` is the one rule, for tasks and for triggers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from airflow_provider_sela.api.request import origin
from airflow_provider_sela.settings import Settings, proxy_url

# In the order in which they count: what only tasks read so far, then what only triggers did.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_FOLDERS = "SSL_CERT_DIR"

_BRACKETS = re.compile(r"[\[\]]")
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):(\d+)")


@dataclass(frozen=True)
class Route:
    """The way of a request.

    :param proxy: URL of the proxy that it goes through; None for none.
    :param authorities: files and folders with the certificate authorities to trust; empty for those that
        come with Python's packages.
    :param named_by: who named these, for messages.
    """

    proxy: str | None = field(repr=False)
    authorities: tuple[str, ...]
    named_by: str


def route(url: str, settings: Settings, environ: Mapping[str, str]) -> Route:
    """Decide by the connection's extras and, where they are empty, by the environment.

    :param url: where the request goes.
    :param environ: the environment's variables.
    :raises SelaSetupError: the environment names a proxy that is none; the message names the variable.
    """
    authorities, named_by = _authorities(settings, environ)
    return Route(settings.proxy or _proxy(url, environ), authorities, named_by)


def _authorities(settings: Settings, environ: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    if isinstance(settings.verify, str):
        return (settings.verify,), "extra 'verify'"
    for name in _BUNDLES:
        if environ.get(name):
            return (environ[name],), f"{name} in the environment"
    folders = environ.get(_FOLDERS, "").split(os.pathsep)
    return tuple(folder for folder in folders if folder), f"{_FOLDERS} in the environment"


def _proxy(url: str, environ: Mapping[str, str]) -> str | None:
    scheme, host, port = _place(url)
    exempt, _ = _variable("no_proxy", environ)
    if any(_exempts(entry, scheme, host, port) for entry in re.split(r"[\s,]+", exempt) if entry):
        return None
    for name in (f"{scheme}_proxy", "all_proxy"):
        value, spelled = _variable(name, environ)
        if value:
            return proxy_url(value if "://" in value else f"http://{value}", f"{spelled} in the environment")
    return None


def _place(url: str) -> tuple[str, str, int]:
    parts = urlsplit(origin(url))
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or 0


def _variable(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Value and spelling of a variable; the one in lower case counts where it is set, be it to nothing."""
    spelled = name if name in environ else name.upper()
    return environ.get(spelled, "").strip(), spelled


def _exempts(entry: str, scheme: str, host: str, port: int) -> bool:
    """Whether an entry of ``NO_PROXY`` is about this place: a name, an address or a network, maybe a port."""
    only, _, entry = entry.lower().rpartition("://")
    with_port = _WITH_PORT.fullmatch(entry)
    if with_port is not None:
        entry = with_port[1]
    if only not in ("", "all", scheme) or (with_port is not None and int(with_port[2]) != port):
        return False
    return entry == "*" or _is_within(host, entry)


def _is_within(host: str, entry: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        name = entry.removeprefix("*").strip(".")
        return name != "" and f".{host}".endswith(f".{name}")
    try:
        return address in ip_network(_BRACKETS.sub("", entry), strict=False)
    except ValueError:
        return False
