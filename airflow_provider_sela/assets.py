"""Assets of the form ``sela://api.trysela.com/leads``: all leads behind one server.

Airflow loads the handler, the factory and the converter by the names in the provider's metadata. The URI
names a server and nothing else: no connection, because two connections to one server lead to the same leads,
and no filters, because the values that they select by are personal data.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.sdk import Asset, BaseHook, Context
    from openlineage.client.event_v2 import Dataset

SCHEME = "sela"
#: The one thing that a server is asked for.
LEADS = "leads"
log = logging.getLogger(__name__)
_FORM = f"{SCHEME}://api.trysela.com/{LEADS}"


def create_asset(*, host: str = "api.trysela.com", extra: dict[str, Any] | None = None) -> Asset:
    """Make the asset of all leads behind a server.

    :param host: host name of the server, with its port where that is not the scheme's own.
    :param extra: what is kept beside the asset.
    """
    from airflow.providers.common.compat.sdk import Asset

    return Asset(uri=f"{SCHEME}://{host}/{LEADS}", extra=extra)


def describe_outlets(context: Context, outlets: Iterable[Any], facts: Mapping[str, Any]) -> None:
    """Put what a load found into the event of each asset that its task updates.

    :param outlets: of the task; those that are no assets are left alone.
    :param facts: counts and verdict.
    """
    from airflow.providers.common.compat.sdk import Asset

    events = context.get("outlet_events")
    for outlet in outlets if events is not None else ():
        if isinstance(outlet, Asset):
            events[outlet].extra.update(facts)


def collect_read(hook: BaseHook, base_url: str) -> None:
    """Report to Airflow's hook lineage that a hook reads leads, for tasks that are no operator of ours."""
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        host = urlsplit(base_url).netloc
        get_hook_lineage_collector().add_input_asset(hook, scheme=SCHEME, asset_kwargs={"host": host})
    except Exception as error:  # noqa: BLE001 (other providers' code; a read is worth more)
        log.debug("Sela: hook lineage is not collected: %s", type(error).__name__)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a ``sela://`` URI and give its one spelling.

    :raises ValueError: the URI names no server, something else than its leads, or more than these.
    """
    try:
        uri.port  # noqa: B018 (the check is in the look-up)
    except ValueError:
        raise ValueError(f"the port is no number up to 65535: expected is a URI such as {_FORM}") from None
    if not uri.hostname:
        raise ValueError(f"the server is missing: expected is a URI such as {_FORM}")
    if uri.path.strip("/") != LEADS:
        raise ValueError(f"only /{LEADS} stands behind the server: expected is a URI such as {_FORM}")
    if "@" in uri.netloc or uri.query or uri.fragment:
        raise ValueError(
            f"the URI names all leads of a server: take user, filters and fragment away, as in {_FORM}"
        )
    host = uri.netloc.lower().rstrip(":").removesuffix(":443")
    return uri._replace(scheme=SCHEME, netloc=host, path=f"/{LEADS}")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:
    """The asset as OpenLineage names it: the server is the namespace."""
    from openlineage.client.event_v2 import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{SCHEME}://{parts.netloc}", name=LEADS)
