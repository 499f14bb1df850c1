"""What came of a request for a window, without what must not be written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.raw import RawLead, RawLeads
from airflow_provider_sela.privacy import Redact
from airflow_provider_sela.snapshot.windows import Entries, Response, Window


@dataclass(frozen=True)
class Reply:
    """An answer without anything that must not be written.

    :param window: what was asked.
    :param gone: the server answered 404: the list ends before this window.
    :param count: length of the list, as the server counts it.
    :param has_next: whether the answer names a next page.
    :param date: its ``Date`` header, microseconds since the epoch.
    :param age: its ``Age`` header, in seconds.
    :param expires: until when a cache may give it again, microseconds since the epoch.
    :param took: microseconds from before the request was sent until the answer was there.
    :param leads: what the rules leave of the leads; what the proof needs of them stays.
    :param rejects: results without a usable id, after the same rules.
    """

    window: Window
    gone: bool = False
    count: int = 0
    has_next: bool = False
    date: int | None = None
    age: int = 0
    expires: int | None = None
    took: int | None = None
    leads: RawLeads = field(default_factory=lambda: RawLeads.from_leads(()), repr=False)
    rejects: list[Any] = field(default_factory=list, repr=False)

    @classmethod
    def from_page(
        cls, window: Window, page: Page[RawLead] | None, redact: Redact | None, took: int | None = None
    ) -> Reply:
        """The reply in a page, None for a 404.

        :param redact: leaves out what must not be written; nothing after this sees it. Default: nothing.
        """
        if page is None:
            return cls(window, gone=True)
        leads: Iterable[RawLead] = page.leads
        if redact is not None:
            leads = (lead.redacted(redact) for lead in leads)
        return cls(
            window,
            count=page.count,
            has_next=page.next_page is not None,
            date=page.date,
            age=page.age,
            expires=page.expires,
            took=took,
            leads=leads if isinstance(leads, RawLeads) else RawLeads.from_leads(leads),
            rejects=page.rejects if redact is None else [redact(item) for item in page.rejects],
        )

    def response(self, started: int, ended: int) -> Response:
        """What the dialogue takes; ticks as in :class:`~airflow_provider_sela.snapshot.windows.Response`."""
        entries = Entries(self.leads.ids, self.leads.created, self.leads.modified)
        return Response(
            self.window, entries, self.count, self.has_next, self.date, started, ended,
            gone=self.gone, rejected=len(self.rejects), age=self.age, expires=self.expires,
            took=self.took,
        )  # fmt: skip

    def line(self) -> bytes:
        """The reply as a line of JSON, ASCII only: text that is no Unicode comes back as it was."""
        leads = [lead._replace(json=lead.json.decode()) for lead in self.leads]  # type: ignore[arg-type]
        return json.dumps({**vars(self), "leads": leads}, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Reply:
        """The reply that :meth:`line` wrote."""
        values = json.loads(line)
        window, leads = values.pop("window"), values.pop("leads")
        read = (RawLead(key, created, modified, text.encode()) for key, created, modified, text in leads)
        return cls(Window(*window), leads=RawLeads.from_leads(read), **values)
