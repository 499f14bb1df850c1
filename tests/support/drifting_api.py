"""A drifting list behind real HTTP: pages of :class:`~tests.snapshot.drifting.DriftingList`."""

from __future__ import annotations

import email.utils
import math
from datetime import UTC, datetime
from typing import Any

from airflow_provider_sela.snapshot.windows import Entry, Window
from airflow_provider_sela.testing import Request, Response, SelaApi, drf, sample_lead
from tests.snapshot.drifting import DriftingList
from tests.snapshot.rows import SECOND


class DriftingApi(SelaApi):
    """Serves a list that is written to between and during requests.

    :param leads: the list; its clock, not the machine's, dates the answers.
    """

    def __init__(self, leads: DriftingList) -> None:
        super().__init__(leads=0, page_size=leads.cap, max_page_size=leads.cap)
        self.drifting = leads
        self._template = sample_lead(28000)

    def respond(self, request: Request) -> Response:
        error = drf.authentication_error(request.headers.get("authorization"), self.token)
        if error is not None:
            return drf.unauthorized(error)
        window = Window(
            int(request.query.get("page", "1")), int(request.query.get("page_size", str(self.page_size)))
        )
        with self.lock:
            answer = self.drifting.answer(window)
        dated = {"Date": _http_date(answer.date)}
        if answer.age:
            dated["Age"] = str(answer.age)
        if answer.expires:
            dated["Expires"] = _http_date(answer.expires)
        if answer.gone:
            response = drf.refusal(404, "Invalid page.")
        else:
            following = drf.page_link(request, self.url, window.page + 1) if answer.has_next else None
            envelope = {"count": answer.count, "next": following, "previous": None}
            results = [self._lead(entry) for entry in answer.entries]
            response = drf.answer(200, drf.dumps({**envelope, "results": results}))
        response.headers.update(dated)
        return response

    def _lead(self, entry: Entry) -> dict[str, Any]:
        return {
            **self._template,
            "id": entry.id,
            "created_time": _iso(entry.created),
            "modified_time": _iso(entry.modified),
        }


def plain_requests(leads: DriftingList) -> int:
    """Requests that a plain walk over the list takes."""
    return math.ceil(len(leads) / leads.cap)


def _http_date(moment: int) -> str:
    return email.utils.formatdate(moment / SECOND, usegmt=True)


def _iso(moment: int | None) -> str | None:
    return (
        None
        if moment is None
        else datetime.fromtimestamp(moment / SECOND, UTC).isoformat(timespec="microseconds")
    )
