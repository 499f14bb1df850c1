"""What is sent to the Sela API: where, with which token, which filters and which page.

The contract is the vendor's "List Leads" reference page.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from airflow_provider_sela.api.parameters import Reader, from_zero, is_encodable, text
from airflow_provider_sela.exceptions import SelaRequestError, SelaSetupError

DEFAULT_HOST = "https://api.trysela.com"
LEADS_PATH = "/api/leads/"


def authorization(token: str) -> str:
    """Value of the ``Authorization`` header; a token pasted with its ``Token`` prefix is accepted.

    :raises SelaSetupError: the token is empty or holds characters that no header may carry.
    """
    key = token.strip()
    if key[:6].lower() == "token " or key.lower() == "token":
        key = key[6:].strip()
    if not key:
        raise SelaSetupError("the connection has no API token: put it into Password")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SelaSetupError(
            "the API token in Password holds a space or a character that no token has: paste it again"
        )
    return f"Token {key}"


def base_url(host: str | None, port: int | None, scheme: str | None) -> str:
    """Where the API is, without a slash at the end.

    :param host: with or without scheme, port and path; empty for Sela's own.
    :param port: counts where ``host`` names none.
    :param scheme: ``http`` or, whatever else it is, ``https``; counts where ``host`` names none.
    :raises SelaSetupError: they make no URL.
    """
    given = (host or "").strip() or DEFAULT_HOST
    own_scheme, _, place = given.rpartition("://")
    # Airflow takes the brackets from an address in a connection's URI.
    place = f"[{place}]" if _is_ipv6(place) else place
    url = f"{own_scheme or ('http' if scheme == 'http' else 'https')}://{place}"
    if not url.isascii() or not url.isprintable() or " " in url:
        raise SelaSetupError("Host holds a space or a character that no URL has: type it again")
    try:
        parts = urlsplit(url)
        base = origin(url)
        # The form's Test button sends 0 for an empty Port.
        if not parts.port and port:
            base = origin(f"{base.rpartition(':')[0]}:{port}")
    except ValueError:
        raise SelaSetupError(
            f"Host and Port make no URL: expected is a Host such as {DEFAULT_HOST}, and a Port up to 65535"
        ) from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SelaSetupError(
            "Host holds a user, a query or a fragment: only scheme, host, port and path belong there"
        )
    path = parts.path.rstrip("/").removesuffix("/api/leads").removesuffix("/api")
    return base.removesuffix(":443" if base.startswith("https") else ":80") + path


def user_id(name: str, value: object) -> int:
    """Read the filter ``user``.

    :raises SelaRequestError: it is no whole number.
    """
    return from_zero(name, text(name, value))


def filter_text(name: str, value: object) -> str:
    """Read a filter that is a text.

    :raises SelaRequestError: it is empty, no text, or no URL can carry it.
    """
    read = text(name, value)
    if not is_encodable(read):
        raise SelaRequestError(
            f"{name} holds half a character (an unpaired surrogate), which no URL can carry"
        )
    return read


def phone_text(name: str, value: object) -> str:
    """Read a phone number in E.164, of which a template that gives native objects makes a number."""
    read = filter_text(name, value)
    return read if isinstance(value, str) else f"+{read}"


#: Reads the value of each filter, by its name.
FILTERS: dict[str, Reader] = {
    "email": filter_text,
    "external_id": filter_text,
    "phone_number": phone_text,
    "user": user_id,
}


def lead_filters(
    *,
    email: str | None = None,
    external_id: str | None = None,
    phone_number: str | None = None,
    user: int | str | None = None,
) -> dict[str, str]:
    """Query parameters for the filters that are set.

    :raises SelaRequestError: a filter is empty or cannot be read. The server would ignore an empty one and
        return *every* lead. A template that rendered to nothing never meant that.
    """
    given = {"email": email, "external_id": external_id, "phone_number": phone_number, "user": user}
    return {name: str(FILTERS[name](name, value)) for name, value in given.items() if value is not None}


def external_id_filter(external_id: object) -> dict[str, str]:
    """Query parameters for the leads with one ``external_id``, which cannot be left out.

    :raises SelaRequestError: it is None, empty, or no URL can carry it.
    """
    return {"external_id": filter_text("external_id", external_id)}


def page_params(filters: Mapping[str, str], page: int, page_size: int | None) -> dict[str, str]:
    """Query of one page; ``page_size`` None leaves the size to the server."""
    params = {**filters, "page": str(page)}
    if page_size is not None:
        params["page_size"] = str(page_size)
    return params


def origin(url: str) -> str:
    """Scheme, host and port of a URL in one spelling: ``https://api.trysela.com:443``.

    :raises ValueError: not an absolute http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an absolute http or https URL")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False
