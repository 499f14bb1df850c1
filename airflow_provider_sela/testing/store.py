"""The leads behind the sample API, and what may happen to them while a client reads."""

from __future__ import annotations

import marshal
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_sela.testing import drf
from airflow_provider_sela.testing.samples import FIRST_ID, Lead, sample_lead, sample_leads, timestamp


class LeadStore:
    """Leads by id, in list order.

    :ivar leads: the leads; change them through the methods, or while holding :attr:`lock`.
    :ivar lock: a page is selected and written while it is held, so that it shows one moment.
    """

    def __init__(self, leads: int | Iterable[Lead], seed: int) -> None:
        self.seed = seed
        self.lock = threading.RLock()
        self.leads: dict[int, Lead] = {}
        self._encoded: dict[int, bytes] = {}
        self._touched = datetime.min.replace(tzinfo=UTC)
        for lead in sample_leads(leads, seed) if isinstance(leads, int) else leads:
            self.add(lead)

    def add(self, lead: Lead | None = None) -> Lead:
        """Add a lead at the end of the list, as it is; without one, a sample lead created now.

        :param lead: fields by name; an integer ``id`` is all that is needed.
        :raises ValueError: the lead has no integer ``id``, or the id is taken.
        """
        with self.lock:
            if lead is None:
                now = self._now()
                lead = sample_lead(max(self.leads, default=FIRST_ID - 1) + 1, self.seed)
                lead |= {"created_time": now, "modified_time": now, "received_time": now}
            if not isinstance(lead.get("id"), int):
                raise ValueError("a lead needs an integer id")
            if lead["id"] in self.leads:
                raise ValueError(f"lead {lead['id']} is there already; use update()")
            self.leads[lead["id"]] = lead = dict(lead)
            return lead

    def update(self, id: int, **fields: Any) -> Lead:  # noqa: A002
        """Change fields of a lead, which keeps its place; ``modified_time`` becomes now unless it is given.

        :param id: which lead.
        :raises KeyError: there is no such lead.
        """
        with self.lock:
            lead = {**self.leads[id], "modified_time": self._now(), **fields}
            self.leads[id] = lead
            return lead

    def delete(self, id: int) -> None:  # noqa: A002
        """Take a lead out of the list.

        :param id: which lead.
        :raises KeyError: there is no such lead.
        """
        with self.lock:
            del self.leads[id]

    def user_of(self, lead: Lead) -> int:
        """Return the user that the ``user`` filter finds a lead under: 1, 2 or 3, in turn by id.

        A rule of the sample API: no documented field of a lead names its user.

        :param lead: fields by name; ``id`` decides.
        """
        return 1 + int(lead["id"]) % 3

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        """Return the whole filtered list, in list order, at this moment; filters match exactly.

        :param filters: those of ``email``, ``external_id``, ``phone_number`` and ``user`` that the request
            has with a value. ``user`` is an integer in plain digits.
        """
        wanted = {name: value for name, value in filters.items() if name != "user"}
        leads = list(self.leads.values())
        if wanted:
            leads = [lead for lead in leads if all(lead.get(name) == wanted[name] for name in wanted)]
        if "user" in filters:
            user = int(filters["user"])
            leads = [lead for lead in leads if self.user_of(lead) == user]
        return leads

    def encode(self, lead: Any) -> bytes:
        """Write a lead as JSON, or find what was written when it was just like this.

        marshal tells ``1`` from ``True`` and takes a third of the time that JSON takes, so that a lead
        changed in place is never served stale.

        :param lead: what :meth:`select` gave.
        """
        try:
            mark = hash(marshal.dumps(lead, 2))
        except ValueError:
            return drf.dumps(lead)
        known = self._encoded.get(mark)
        if known is None:
            if len(self._encoded) > 1000 + 2 * len(self.leads):
                self._encoded.clear()
            known = self._encoded[mark] = drf.dumps(lead)
        return known

    def _now(self) -> str:
        # Strictly ascending, so that a list sorted by modified_time has one order only.
        self._touched = max(datetime.now(UTC), self._touched + timedelta(microseconds=1))
        return timestamp(self._touched)
