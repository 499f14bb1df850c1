"""Asks a server a few questions, from whose answers :mod:`.api.checkup` concludes how it behaves."""

from __future__ import annotations

import time
from math import ceil
from statistics import median

from airflow_provider_sela.api.checkup import LARGE_PAGE, Filtering, Seen
from airflow_provider_sela.api.leads import Lead, has_external_id
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.exceptions import SelaPageGoneError, SelaRateLimitError
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.snapshot.doubts import CACHED, REPEATED, observed_doubts
from airflow_provider_sela.snapshot.orders import observed_orders
from airflow_provider_sela.snapshot.windows import Entry, Response, Window

#: Answers that are wanted. A throttle is seen only by whoever sends more than it lets through.
REQUESTS = 6
# Requests for one lead before anything else is asked; as many at least follow at the end.
_SMALL_REQUESTS = 2
# That a throttle may cost in all; whoever has to wait longer learns that from the error.
_LONGEST_WAIT_SECONDS = 30.0
# Until the next try where the server names no time.
_PAUSE_SECONDS = 1.0


def examine(transport: Transport) -> Seen:
    """See how a server behaves, by six requests and those that its throttle refuses.

    :raises SelaError: a request failed, or the throttle lets through too little for a check.
    """
    questions = _Questions(transport)
    small = [questions.ask(1, 1) for _ in range(_SMALL_REQUESTS)]
    large, seconds = questions.ask(1, LARGE_PAGE)
    answers, last = [large], None
    if large.next_page is not None and large.rows:
        last = Window(max(ceil(large.count / large.rows), 2), large.rows)
        answers += questions.ask_for(last)
    one = next((lead for lead in large.leads if str(lead.get("external_id") or "").strip()), None)
    wanted = None if one is None else str(one["external_id"])
    found = None if wanted is None else questions.ask(1, LARGE_PAGE, external_id=wanted)[0]
    small += [questions.ask(1, 1) for _ in range(REQUESTS - questions.answered)]
    doubts = observed_doubts(questions.responses)
    # Leads may have been deleted meanwhile.
    counted = min(large.count, small[-1][0].count)
    return Seen(
        count=large.count,
        latency=median(duration for _, duration in small),
        asked=LARGE_PAGE,
        shown=large.rows,
        seconds=seconds,
        honoured=None if large.count < 2 else small[0][0].rows == 1,
        orders=observed_orders([Entry.from_lead(lead) for lead in page.leads] for page in answers),
        filtering=_filtering(wanted, found, large.count),
        requests=questions.sent,
        rate=questions.rate,
        cached=CACHED in doubts,
        repeated=REPEATED in doubts,
        unseen=_unseen(answers, last, counted),
    )


class _Questions:
    """Requests one after the other.

    :ivar sent: requests that were sent.
    :ivar answered: those of them that were not refused for their number.
    :ivar rate: requests per second that the throttle lets through; None where none was met.
    :ivar responses: pages as the proof takes them.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._began = time.monotonic()
        self._wait_left = _LONGEST_WAIT_SECONDS
        self.sent = self.answered = 0
        self.rate: float | None = None
        self.responses: list[Response] = []

    def ask_for(self, window: Window) -> list[Page[Lead]]:
        """The page of a window, none if it is refused."""
        try:
            return [self.ask(*window)[0]]
        except SelaPageGoneError:
            self.answered += 1
            return []

    def ask(self, page: int, size: int, **filters: str) -> tuple[Page[Lead], float]:
        """A page, and the seconds that it took."""
        refused = False
        while True:
            self.sent += 1
            asked = time.monotonic()
            try:
                answer = self._transport.read(filters, page, size, max_attempts=1)
            except SelaRateLimitError as error:
                refused = True
                self._wait(error)
                continue
            now = time.monotonic()
            if refused and self.answered:
                # A window of the throttle has passed since the first request, so this is not too much.
                rate = self.answered / (now - self._began)
                self.rate = rate if self.rate is None else min(self.rate, rate)
            self.answered += 1
            self._keep(Window(page, size), answer)
            return answer, now - asked

    def _keep(self, window: Window, page: Page[Lead]) -> None:
        entries = [Entry.from_lead(lead) for lead in page.leads]
        tick = 2 * self.sent
        response = Response(
            window, entries, page.count, page.next_page is not None, page.date, tick, tick + 1,
            rejected=len(page.rejects), age=page.age, expires=page.expires,
        )  # fmt: skip
        self.responses.append(response)

    def _wait(self, error: SelaRateLimitError) -> None:
        pause = max(error.retry_after or 0.0, _PAUSE_SECONDS)
        self._wait_left -= pause
        if self._wait_left < 0:
            raise error
        time.sleep(pause)


def _unseen(answers: list[Page[Lead]], last: Window | None, counted: int) -> str:
    """How the pages end before all leads are shown that are counted; empty if they do not.

    :param answers: the first page and the last one, which is missing if it was refused.
    :param last: where the last page begins; None if the first one is said to be the last.
    """
    if last is None:
        shown = answers[0].rows
        return f"no page follows the first {shown} leads" if counted > shown else ""
    if counted <= last.offset or (len(answers) > 1 and answers[1].rows):
        return ""
    return f"page {last.page} {'shows no lead' if len(answers) > 1 else 'is refused'}"


def _filtering(wanted: str | None, found: Page[Lead] | None, count: int) -> Filtering:
    if wanted is None or found is None:
        return Filtering.UNKNOWN
    exact = [lead for lead in found.leads if has_external_id(lead, wanted)]
    if not exact and found.next_page is None:
        return Filtering.BLIND
    if len(exact) == found.rows:
        return Filtering.EXACT
    return Filtering.IGNORED if found.count >= count else Filtering.WIDER
