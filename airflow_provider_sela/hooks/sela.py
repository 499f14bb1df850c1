"""SelaHook: a connection to Sela, and the leads behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_sela.api.moments import moment
from airflow_provider_sela.api.request import external_id_filter, lead_filters
from airflow_provider_sela.exceptions import SelaError, SelaRequestError, of_connection
from airflow_provider_sela.hooks.asynchronous import AsyncHookMixin
from airflow_provider_sela.hooks.form import HIDDEN_FIELDS, PLACEHOLDERS, RELABELING, form_widgets
from airflow_provider_sela.settings import Connection, Settings

# A DAG file imports this every few seconds: what only a read needs is imported where it is read.
if TYPE_CHECKING:
    from airflow_provider_sela.api.leads import Lead
    from airflow_provider_sela.api.raw import RawLead
    from airflow_provider_sela.http.session import SelaSession
    from airflow_provider_sela.http.transport import Transport
    from airflow_provider_sela.privacy import Privacy
    from airflow_provider_sela.reading.continuation import Continuation
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
    from airflow_provider_sela.reading.parts import Parts
    from airflow_provider_sela.storage.spool import Encoder


class SelaHook(AsyncHookMixin, BaseHook):
    """Reads leads from Sela.

    Every read retries single requests (408, 425, 429, 5xx, time-outs, dropped and truncated answers), obeys
    ``Retry-After``, and sends the token to the connection's own origin only.

    :param sela_conn_id: Airflow connection of type ``sela``: API token in Password, base URL in Host (empty:
        ``https://api.trysela.com``).
    """

    conn_name_attr = "sela_conn_id"
    default_conn_name = "sela_default"
    conn_type = "sela"
    hook_name = "Sela"

    def __init__(self, sela_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sela_conn_id = sela_conn_id

    @classmethod
    def from_connection(cls, connection: Connection) -> SelaHook:
        """A hook on a connection that is at hand, where Airflow would not find it by its id.

        :param connection: an Airflow connection of any version.
        :raises SelaSetupError: a field of it is wrong.
        """
        hook = cls(connection.conn_id)
        hook.settings = Settings.from_connection(connection)
        return hook

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the standard fields of the form (Airflow below 3.2)."""
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": RELABELING, "placeholders": PLACEHOLDERS}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:  # pragma: no cover (Airflow below 3.2)
        """Describe the extras of the form (Airflow below 3.2)."""
        return form_widgets()

    @cached_property
    def settings(self) -> Settings:
        """The checked connection.

        :raises SelaSetupError: there is no such connection, or a field of it is wrong.
        :raises SelaUnavailableError: Airflow cannot look it up for now.
        """
        from airflow_provider_sela.connections import airflow_connection

        return Settings.from_connection(airflow_connection(self.sela_conn_id, "sela_conn_id"))

    @cached_property
    def transport(self) -> Transport:
        """Where this hook's requests go out."""
        from airflow_provider_sela.http.transport import Transport

        return Transport(self.settings, self.log)

    def get_conn(self) -> SelaSession:
        """The calling thread's authenticated ``requests.Session``.

        It has a default time-out, does not follow redirects unless told to, and adds the token to requests to
        the connection's origin only.
        """
        return self.transport.session

    def close(self) -> None:
        """Close idle connections; the hook can be used again."""
        if "transport" in self.__dict__:
            self.transport.close()

    def iter_leads(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Lead]:
        """Stream leads page by page, each once; memory does not grow.

        This is one plain walk: a lead that moves between two pages while they are read can be missed. Where
        that matters, use :meth:`snapshot`.

        :param email: filter by e-mail address.
        :param external_id: filter by the lead's id in the customer's own CRM.
        :param phone_number: filter by phone number, E.164 such as ``+18042221111``.
        :param user: filter by user, an integer.
        :param page_size: leads per request, 1 or more; default: the connection's; the server may
            return fewer.
        :raises SelaError: see :mod:`airflow_provider_sela.exceptions`.
        """
        filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        return self._walk(filters, self.settings.page_size_for(page_size))

    def find_leads(self, external_id: str) -> list[Lead]:
        """All leads that have exactly this ``external_id``, oldest id first.

        Nothing says that the id is unique, nor that the server's filter is exact: the match is checked here.

        :param external_id: the lead's id in the customer's own CRM, not empty.
        """
        return find_leads(self, external_id)

    def count_leads(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
    ) -> int:
        """Number of leads, as the server counts them; filters as in :meth:`iter_leads`."""
        filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        return self.transport.read(filters, 1, 1).count

    def snapshot(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        page_size: int | None = None,
        concurrency: int | None = None,
        on_unverified: str = "fail",
        privacy: Privacy | None = None,
        since: datetime | str | None = None,
    ) -> LeadSnapshot:
        """Read the whole list and establish whether the read was complete.

        Use it as a context manager: entering reads, leaving frees the disk::

            with hook.snapshot() as snapshot:
                print(snapshot.verdict)
                for lead in snapshot: ...

        Filters and ``page_size`` as in :meth:`iter_leads`.

        :param concurrency: requests in flight at once; default: the connection's (4), which is modest because
            the vendor's rate limits are not known.
        :param on_unverified: where completeness could not be established, ``fail`` (default) raises and
            ``warn`` logs.
        :param privacy: what of leads and rejects must not be written, applied before anything reaches a disk;
            default: all may be.
        :param since: read only leads that were created or changed since, a moment with a time zone. Where the
            list shows that they stand at one end of it, nothing else is read; else everything is, and they
            are picked out: ``stats.why_full`` says why.
        :raises SelaRequestError: an argument is wrong; the message names it.
        :raises SelaIncompleteError: completeness could not be established, and ``on_unverified`` is ``fail``.
        """
        from airflow_provider_sela.privacy import Privacy

        filters = lead_filters(email=email, external_id=external_id, phone_number=phone_number, user=user)
        if not isinstance(privacy, Privacy | None):
            raise SelaRequestError("privacy is no Privacy (airflow_provider_sela.privacy): give it one")
        return open_snapshot(
            self,
            filters,
            page_size=page_size,
            concurrency=concurrency,
            on_unverified=on_unverified,
            privacy=privacy,
            continuation=continuation_since(since),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Ask for one lead, without retries.

        :return: whether Sela answered, and a sentence for the browser, which names the field to change and
            never holds the token.
        """
        try:
            started = time.monotonic()
            page = self.transport.read({}, 1, 1, max_attempts=1)
        except SelaError as error:
            # The Test button gives the connection a random name for the moment.
            return False, str(error).removeprefix(of_connection(self.sela_conn_id, ""))
        milliseconds = (time.monotonic() - started) * 1000
        return True, f"Sela answered in {milliseconds:.0f} ms; this token sees {page.count} leads"

    def _walk(
        self, filters: dict[str, str], page_size: int, max_attempts: int | None = None
    ) -> Iterator[Lead]:
        from airflow_provider_sela.assets import collect_read
        from airflow_provider_sela.reading.plain_walk import read_leads

        collect_read(self, self.settings.base_url)
        yield from read_leads(
            self.transport, filters, self.log, page_size=page_size, max_attempts=max_attempts
        )


def open_snapshot(
    hook: SelaHook,
    filters: Mapping[str, str],
    *,
    page_size: int | str | None = None,
    concurrency: int | None = None,
    on_unverified: str = "fail",
    privacy: Privacy | None = None,
    encoder: Encoder | None = None,
    watch: Callable[[RawLead], object] | None = None,
    parts: Parts | None = None,
    continuation: Continuation | None = None,
) -> LeadSnapshot:
    """The snapshot of :meth:`SelaHook.snapshot`, for the ways of landing leads that this package has.

    :param filters: from :func:`~airflow_provider_sela.api.request.lead_filters`.
    :param encoder: makes the line of a spooled lead; default: the lead as the API sent it.
    :param watch: is told of each lead that comes, before the read has ended.
    :param parts: what other tasks have read of this list, to go on from; its ``page_size`` is then taken.
    :param continuation: from where to go on, to read only what is new; default: everything is read.
    """
    from airflow_provider_sela.assets import collect_read
    from airflow_provider_sela.reading.lead_snapshot import LeadSnapshot
    from airflow_provider_sela.storage.spool import raw_line

    settings = hook.settings
    snapshot = LeadSnapshot(
        hook.transport,
        filters,
        page_size=settings.page_size_for(page_size),
        concurrency=settings.concurrency_for(concurrency),
        on_unverified=on_unverified,
        privacy=privacy,
        encoder=encoder or raw_line,
        watch=watch,
        parts=parts,
        continuation=continuation,
        log=hook.log,
    )
    collect_read(hook, settings.base_url)
    return snapshot


def continuation_since(since: datetime | str | None) -> Continuation | None:
    """What is asked of a read of what was created or changed since a moment; None for everything.

    :raises SelaRequestError: it is no moment, or has no time zone.
    """
    from airflow_provider_sela.reading.continuation import Continuation
    from airflow_provider_sela.snapshot.reach import Scope

    return None if since is None else Continuation(Scope.CHANGED, since=moment("since", since))


def find_leads(hook: SelaHook, external_id: str, *, max_attempts: int | None = None) -> list[Lead]:
    """As :meth:`SelaHook.find_leads`, for those whose wait is the retry.

    :param max_attempts: tries of each request; default: the connection's.
    """
    from airflow_provider_sela.api.leads import has_external_id

    walk = hook._walk(external_id_filter(external_id), hook.settings.page_size, max_attempts)
    return sorted((lead for lead in walk if has_external_id(lead, external_id)), key=lambda lead: lead["id"])
