"""What must come of each fault on each surface, a line a fault: the declaration that the tests hold.

A cell is an outcome and the number of requests that reach the server. Outcomes:

- ``all``: every lead arrived, once, with its content. For a sensor: the lead that was waited for. For the
  event: one event with its id.
- ``all and more``: that, and leads that were not asked for or are no longer there.
- ``part, told``: fewer, and a warning that says how many the server counts beyond them.
- ``waits``: no failure of the task or of the watch; still waiting after six looks or more.
- a class of errors without ``Sela…Error``, raised in the task; nothing was written.

The list has 60 leads in three pages. A connection makes two attempts for a request, a sensor outlives two
failures in a row, and a sensor's look is one attempt. In a read, the fault strikes the second request and, if
it stays, all that follow; in the deferred sensor the first look of the trigger; in the event the first look
after the watch knows the list.
"""

from __future__ import annotations

from typing import NamedTuple

SURFACES = ("iter_leads", "snapshot", "aiter_leads", "file", "SQL", "sensor", "deferred", "event")


class Row(NamedTuple):
    """Cells of a fault, in the order of :data:`SURFACES`.

    :param once: the fault strikes once; empty where it is a property of the server.
    :param stays: it strikes from then on.
    :param waits: seconds that are waited at least, because the server asked for them.
    """

    once: str
    stays: str
    waits: float = 0.0


# fmt: off
QUIET =    "all 3   | all 7   | all 3   | all 7   | all 7   | all 1   | all 3   | all 2"
#: One request more than a quiet read, and nothing else.
MENDED =   "all 4   | all 8   | all 4   | all 8   | all 8   | all 2   | all 4   | all 3"
#: What went well, and two attempts, or the three looks that a sensor has.
TRIED =    "? 3     | ? 3     | ? 3     | ? 3     | ? 3     | ? 3     | ? 4     | waits 12"
#: No second attempt: nobody but the user can mend it. The watch goes on, less and less often.
REFUSED =  "? 2     | ? 2     | ? 2     | ? 2     | ? 2     | ? 1     | ? 2     | waits 6"
REFUSED1 = "? 2     | ? 2     | ? 2     | ? 2     | ? 2     | ? 1     | ? 2     | all 3"
#: No request gets as far as the server, from the first on.
AWAY =     "? 0     | ? 0     | ? 0     | ? 0     | ? 0     | ? 0     | ? 0     | waits 0"
BACK =     "all 3   | all 7   | all 3   | all 7   | all 7   | all 1   | all 2   | all 2"
#: A page that is refused is read again once page 1 was seen; what is meant for every page is told by page 1.
GONE1 =    "all 5   | all 9   | all 5   | all 9   | all 9   | ? 1     | ? 2     | all 4"
GONE =     "? 3     | ? 5     | ? 3     | ? 5     | ? 5     | ? 1     | ? 2     | waits 12"
LIMITED1 = "all 5   | all 9   | all 5   | all 9   | all 9   | all 1   | all 3   | all 4"
LIMITED = ("PageGone 4 | Incomplete 13 | PageGone 4 | Incomplete 13 | Incomplete 13 | all 1 | all 3"
           "| waits 18")

EXPECTED: dict[str, Row] = {
    "no fault": Row("", QUIET),
    "401": Row(REFUSED1.replace("?", "Authentication"), REFUSED.replace("?", "Authentication")),
    # In the middle of a list these can mean that the list became shorter: page 1 is asked.
    "403": Row(GONE1.replace("?", "Permission"), GONE.replace("?", "Permission")),
    "404": Row(GONE1.replace("?", "Setup"), GONE.replace("?", "Setup")),
    "400 after page 1": Row(LIMITED1, LIMITED),
    "403 after page 1": Row(LIMITED1, LIMITED),
    "404 after page 1": Row(LIMITED1, LIMITED),
    "408": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "429 without Retry-After": Row(MENDED, TRIED.replace("?", "RateLimit")),
    "429, Retry-After in seconds": Row(MENDED, TRIED.replace("?", "RateLimit"), waits=7),
    "429, Retry-After as a date": Row(MENDED, TRIED.replace("?", "RateLimit"), waits=7),
    "500": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "502": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "503": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "504": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "redirect to another host": Row(REFUSED1.replace("?", "Setup"), REFUSED.replace("?", "Setup")),
    "name cannot be resolved": Row("", AWAY.replace("?", "Unavailable")),
    "connection refused": Row(BACK, AWAY.replace("?", "Unavailable")),
    "connect time-out": Row(BACK, AWAY.replace("?", "Unavailable")),
    "untrusted certificate": Row("", AWAY.replace("?", "Setup")),
    "certificate for another host": Row("", AWAY.replace("?", "Setup")),
    "expired certificate": Row("", AWAY.replace("?", "Setup")),
    "read time-out": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "silence in the body": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "headers drip": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "body drips": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "hang-up before headers": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "reset before headers": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "reset in the body": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "connection closed in the body": Row(MENDED, TRIED.replace("?", "Unavailable")),
    "truncated JSON": Row(MENDED, TRIED.replace("?", "Response")),
    "truncated gzip": Row(MENDED, TRIED.replace("?", "Response")),
    "HTML with status 200": Row(MENDED, TRIED.replace("?", "Response")),
    "empty body": Row(MENDED, TRIED.replace("?", "Response")),
    "JSON of another shape": Row(MENDED, TRIED.replace("?", "Response")),
    "count is text": Row(MENDED, TRIED.replace("?", "Response")),
    "next loops": Row(MENDED, TRIED.replace("?", "Response")),
    "next skips pages": Row(MENDED, TRIED.replace("?", "Response")),
    # A walk has nothing but next to go by; a verified read holds the count against what it saw.
    "next is always null": Row(
        "part, told 2 | all 7  | part, told 2 | all 7  | all 7  | all 1 | all 3 | all 3",
        "part, told 2 | all 15 | part, told 2 | all 15 | all 15 | all 1 | all 3 | all 3"),
    "next to another host": Row(QUIET, QUIET),
    "next downgraded to http": Row("", QUIET),
    # A count that does not fit what is seen costs requests more, up to a bound. One that stays too high, with
    # no next page, is that of a server which pages only so far.
    "count too high": Row(
        "all 3   | all 14  | all 3   | all 14  | all 14  | all 1   | all 3   | all 2",
        "all 3 | Incomplete 12 | all 3 | Incomplete 12 | Incomplete 12 | all 1 | all 3 | all 2"),
    "count too low": Row(QUIET,
        "all 3   | all 15  | all 3   | all 15  | all 15  | all 1   | all 3   | all 2"),
    "a result without an id": Row(QUIET,
        "all 3   | all 9   | all 3   | all 9   | all 9   | all 1   | all 3   | all 2"),
    "page_size capped": Row("",
        "all 4   | all 9   | all 4   | all 9   | all 9   | all 1   | all 3   | all 2"),
    "page_size ignored": Row("",
        "all 4   | all 10  | all 4   | all 10  | all 10  | all 1   | all 3   | all 2"),
    # Sensors match by themselves; a read gets what the server gives.
    "filter ignored": Row("",
        "all and more 4 | all and more 7 | all and more 4 | all and more 7 | all and more 7"
        "| all 4 | all 12 | all 1"),
    "list shrinks to nothing": Row("",
        "all and more 3 | all and more 5 | all and more 3 | all and more 5 | all and more 5"
        "| waits 7 | waits 7 | waits 7"),
    "10 MB page": Row("", QUIET),
    "metadata 100 deep": Row("", QUIET),
    "metadata 100,000 deep": Row("",
        "Response 3 | Response 5 | Response 3 | Response 5 | Response 5 | Response 3 | Response 4"
        "| waits 13"),
    "duplicate keys": Row("", QUIET),
    "NaN and Infinity": Row("", QUIET),
    "huge integers": Row("", QUIET),
    "lone surrogates": Row("", QUIET),
}
# fmt: on


class Expected(NamedTuple):
    """One cell."""

    outcome: str
    requests: int


def cells(fault: str, *, lasting: bool) -> dict[str, Expected]:
    """The cells of a line by surface; empty where there are none."""
    row = EXPECTED[fault]
    line = row.stays if lasting else row.once
    if not line:
        return {}
    pairs = (cell.strip().rpartition(" ") for cell in line.split("|"))
    found = [Expected(outcome, int(requests)) for outcome, _, requests in pairs]
    return dict(zip(SURFACES, found, strict=True))
