"""What a Sela connection says: its fields, each checked."""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_sela.api.parameters import whole_number
from airflow_provider_sela.api.request import authorization, base_url, origin
from airflow_provider_sela.exceptions import SelaSetupError, of_connection

# With another name, each HTTP library fails at another moment and in other words.
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")

#: Types of connections whose password may be a token of Sela's: its own, and those that say nothing of what
#: they are for, as of connections that are older than this package or were written as a URL.
_TYPES = frozenset(("sela", "generic", "http", "https"))


class Connection(Protocol):
    """The parts of an Airflow connection that are read here."""

    conn_id: str
    conn_type: str | None
    password: str | None
    host: str | None
    port: int | None
    schema: str | None
    extra: str | None


@dataclass(frozen=True)
class ExtraField:
    """One extra of the connection, as the form shows it and as it is checked.

    :param kind: ``integer``, ``number`` or ``string``.
    :param default: used where the extra is missing, null or empty.
    """

    name: str
    kind: str
    default: int | float | str | None
    title: str
    description: str
    minimum: int | float | None = None
    maximum: int | float | None = None


EXTRA_FIELDS = (
    ExtraField(
        name="timeout",
        kind="number",
        default=30,
        title="Timeout",
        description="Seconds to connect, and between two bytes of an answer.",
        minimum=0.1,
        maximum=600,
    ),
    ExtraField(
        name="page_size",
        kind="integer",
        default=100,
        title="Page size",
        description="Leads per request. The server may return fewer.",
        minimum=1,
        maximum=10000,
    ),
    ExtraField(
        name="max_attempts",
        kind="integer",
        default=5,
        title="Attempts",
        description="Tries for one request, the first included.",
        minimum=1,
        maximum=20,
    ),
    ExtraField(
        name="retry_budget",
        kind="number",
        default=600,
        title="Retry budget",
        description="Seconds that one read may wait for retries in all.",
        minimum=0,
        maximum=86400,
    ),
    ExtraField(
        name="concurrency",
        kind="integer",
        default=4,
        title="Concurrency",
        description="Requests in flight at once in one task.",
        minimum=1,
        maximum=32,
    ),
    ExtraField(
        name="requests_per_second",
        kind="number",
        default=None,
        title="Requests per second",
        description="Cap on the rate in one task. Empty: no cap.",
        minimum=0.01,
        maximum=1000,
    ),
    ExtraField(
        name="verify",
        kind="string",
        default=None,
        title="CA bundle",
        description="File or folder of certificate authorities, on every machine that runs tasks or triggers."
        " Empty: those of the environment.",
    ),
    ExtraField(
        name="client_cert",
        kind="string",
        default=None,
        title="Client certificate",
        description="File with a client certificate (PEM), for a server that wants one. It may hold the key"
        " too.",
    ),
    ExtraField(
        name="client_key",
        kind="string",
        default=None,
        title="Client key",
        description="File with the certificate's key (PEM).",
    ),
    ExtraField(
        name="proxy",
        kind="string",
        default=None,
        title="Proxy",
        description="URL such as http://proxy.example.com:3128. Empty: the proxy of the environment.",
    ),
)


@dataclass(frozen=True)
class Settings:
    """A connection's values, each checked. The token is kept out of ``repr``.

    Beside the standard fields of a connection, there is one for each of :data:`EXTRA_FIELDS`, by its name.
    """

    conn_id: str
    base_url: str
    authorization: str = field(repr=False)
    timeout: float
    page_size: int
    max_attempts: int
    retry_budget: float
    concurrency: int
    requests_per_second: float | None
    verify: str | bool
    client_cert: str | None
    client_key: str | None
    proxy: str | None = field(repr=False)
    #: Extras that nothing reads, each with the one that its name resembles.
    unknown_extras: Mapping[str, str | None] = field(default_factory=dict, compare=False)

    @classmethod
    def from_connection(cls, connection: Connection) -> Settings:
        """Check a connection.

        :param connection: an Airflow connection of any version.
        :raises SelaSetupError: a value is missing or wrong; the message names connection and field.
        """
        try:
            _check_type(connection.conn_type)
            extras = _extras(connection.extra)
            values = _checked(extras)
            return cls(
                conn_id=connection.conn_id,
                base_url=base_url(connection.host, connection.port, connection.schema),
                authorization=authorization(connection.password or ""),
                unknown_extras=_unknown(extras),
                **values,
            )
        except SelaSetupError as error:
            refusal = of_connection(connection.conn_id, error)
        # Raised outside the handler: as a context, what refused a value would quote it.
        raise SelaSetupError(refusal)

    @property
    def account(self) -> tuple[str, str]:
        """Server and account: its address, and 32 hexadecimal digits that stand for the token there and do
        not lead back to it."""
        digest = hmac.digest(self.authorization.encode(), self.base_url.encode(), "sha256")
        return self.base_url, digest[:16].hex()

    def page_size_for(self, asked: int | str | None) -> int:
        """Leads per request.

        :param asked: 1 or more, which a template may have made a text; None for the connection's.
        :raises SelaRequestError: it is something else.
        """
        return self.page_size if asked is None else whole_number("page_size", asked)

    def concurrency_for(self, asked: int | str | None) -> int:
        """Requests in flight at once; as :meth:`page_size_for`."""
        return self.concurrency if asked is None else whole_number("concurrency", asked)


def _check_type(conn_type: str | None) -> None:
    if conn_type and conn_type.lower() not in _TYPES:
        raise SelaSetupError(
            f"it is of type {conn_type!r}, whose password is not sent to anybody as a token: name one of type"
            " sela, or give it that type"
        )


def _extras(text: str | None) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        extras = json.loads(text)
    except (ValueError, RecursionError):
        raise SelaSetupError("Extra is not valid JSON") from None
    if not isinstance(extras, dict):
        raise SelaSetupError("Extra is JSON but no object")
    return extras


def _unknown(extras: Mapping[str, Any]) -> dict[str, str | None]:
    known = [item.name for item in EXTRA_FIELDS]
    unknown = [name for name, value in extras.items() if name not in known and value not in (None, "")]
    return {name: next(iter(get_close_matches(name.lower(), known, n=1)), None) for name in unknown}


def _checked(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each extra that is known, by its name."""
    values = {item.name: _value(item, extras.get(item.name)) for item in EXTRA_FIELDS}
    if values["client_cert"] is None and values["client_key"] is not None:
        raise SelaSetupError(
            "extra 'client_key' (Client key): it is of no use without its certificate in extra 'client_cert'"
        )
    if values["proxy"]:
        proxy_url(values["proxy"], "extra 'proxy' (Proxy)")
    return values | {"verify": values["verify"] or True}


def _value(item: ExtraField, raw: Any) -> Any:
    # Airflow's form saves a field that nobody touched as null.
    if raw is None or raw == "":
        return item.default
    if item.kind == "string":
        if item.name == "verify" and raw is True:
            return None
        if not isinstance(raw, str):
            raise SelaSetupError(_refusal(item, "text is expected"))
        return raw
    try:
        number = float(raw) if not isinstance(raw, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or (item.kind == "integer" and number != int(number)):
        raise SelaSetupError(
            _refusal(item, f"{'a whole' if item.kind == 'integer' else 'a'} number is expected")
        )
    if (item.minimum is not None and number < item.minimum) or (
        item.maximum is not None and number > item.maximum
    ):
        raise SelaSetupError(_refusal(item, f"allowed is {item.minimum} to {item.maximum}"))
    return int(number) if item.kind == "integer" else number


def _refusal(item: ExtraField, reason: str) -> str:
    return f"extra {item.name!r} ({item.title}): {reason}"


def proxy_url(url: str, named_by: str) -> str:
    """A proxy's URL, as it was given.

    :param named_by: the extra or the variable that it comes from, for the message.
    :raises SelaSetupError: it is none; the message does not quote it, as it may hold a password.
    """
    try:
        host = urlsplit(origin(url)).hostname or ""
        if not _NAME.fullmatch(host) or host.rpartition(".")[2].isdecimal():
            ip_address(host)
    except ValueError:
        usable = False
    else:
        usable = url.isprintable() and " " not in url
    if not usable:
        raise SelaSetupError(f"{named_by}: expected is a URL such as http://proxy.example.com:3128")
    return url
