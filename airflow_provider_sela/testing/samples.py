"""Sample leads: made up, deterministic, and as awkward as real ones.

Nobody behind them exists: e-mail addresses end in ``example.com`` (RFC 2606) and phone numbers lie in
555-0100 to 555-0199, which the North American Numbering Plan sets aside for fiction.
"""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

Lead = dict[str, Any]
T = TypeVar("T")

FIRST_ID = 28000
MALFORMED_TIME = "025-02-28T15:09:03.122515-08:00"
"""The vendor's own example of ``next_call_time``, year and all."""

STATUSES = (
    "OPEN", "OPEN", "OPEN", "OPEN", "NEW", "NEW", "CALLBACK_TO_TRANSFER", "CLOSED", "CLOSED_INCOMPLETE",
    "LOST", "SCHEDULE_COMPLETED", "OUT_OF_TERRITORY", "UNKNOWN",
)  # fmt: skip

_FIRST_CREATED = datetime(2025, 2, 28, 23, 9, 3, tzinfo=UTC)
_EVERY = timedelta(seconds=17)
# Two million leads, 17 s apart, end in March 2026: no sample lead lies in the future.
_LEADS_IN_TIME = 2_000_000

_NAMES = (
    ("Ada", "Fields"), ("José", "Núñez"), ("Siobhán", "O'Malley"), ("Zoe\u0308", "Müller-Lüdenscheidt"),
    ("Łukasz", "Żółć"), ("Nguyễn", "Thị Ánh"), ("Δήμητρα", "Παπά"), ("Ольга", "Щукина"),
    ("ليلى", "الحداد"), ("נועה", "בן־דוד"), ("प्रिया", "शर्मा"), ("김", "서연"),
    ("𠮷田", "さくら"), ("Sunny 🌻", "Day"), ("Ann \"Annie\"", "Smith, Jr."), ("X", "Æ"),
)  # fmt: skip

# state, city, ZIP code, area code, time zone
_PLACES = (
    ("CA", "Sacramento", "95814", "916", "America/Los_Angeles"),
    ("VA", "Richmond", "23219", "804", "America/New_York"),
    ("TX", "Austin", "78701", "512", "America/Chicago"),
    ("AZ", "Tucson", "85701", "520", "America/Phoenix"),
    ("CO", "Denver", "80202", "303", "America/Denver"),
    ("HI", "Hilo", "96720", "808", "Pacific/Honolulu"),
)

_NOTES = (
    "",
    "Prefers the afternoon",
    'Said "call me back",\nthen hung up; wants 5 % at most',
    "Back\\slash, tab\there, 100 €, emoji 🏡",
)

# Keyed by (id + seed) % 100, so any hundred neighbours hold every oddity, whatever the seed.
_ODD_METADATA: dict[int, Any] = {
    17: None,
    37: ["imported", "twice"],
    57: "free text, not an object",
    77: 42,
    97: {},
}
_MALFORMED_AT = (13, 63)


class _Dice:
    """Draws from one hash as from a number in mixed radix: the same on every Python, and quick to seed."""

    def __init__(self, seed: int, lead_id: int) -> None:
        self._left = int.from_bytes(hashlib.sha512(f"{seed}:{lead_id}".encode()).digest())

    def below(self, sides: int) -> int:
        self._left, drawn = divmod(self._left, sides)
        return drawn

    def pick(self, options: tuple[T, ...]) -> T:
        return options[self.below(len(options))]


@functools.cache
def _zone() -> ZoneInfo:
    return ZoneInfo("America/Los_Angeles")


def timestamp(moment: datetime) -> str:
    """Write a moment as Sela does: Pacific time, microseconds, offset ``-08:00`` or ``-07:00``."""
    return moment.astimezone(_zone()).isoformat(timespec="microseconds")


def sample_lead(lead_id: int, seed: int = 0) -> Lead:
    """Make one lead with all documented fields, about 1 KB of JSON, the same for the same arguments.

    Any 100 neighbouring ids hold metadata that is null, a list, a string, a number and an empty object, a
    malformed ``next_call_time``, nulls in every field that may be null, and names beyond the basic
    multilingual plane and written from right to left. ``created_time`` and ``modified_time`` ascend with
    the id for two million ids from 28000 on.

    :param lead_id: the lead's ``id``.
    :param seed: another seed gives another lead under the same id.
    """
    dice = _Dice(seed, lead_id)
    turn = (lead_id + seed) % 100
    state, _, _, area, _ = place = dice.pick(_PLACES)
    status = dice.pick(STATUSES)
    waiting = status in ("NEW", "OPEN", "CALLBACK_TO_TRANSFER")
    step = (lead_id - FIRST_ID) % _LEADS_IN_TIME
    created = _FIRST_CREATED + step * _EVERY + timedelta(microseconds=dice.below(1_000_000))
    external_id = None if turn % 20 == 19 else f"id_in_your_crm_{lead_id}"
    source = dice.pick(("Loans.example.com", "Homes.example.org", "Referral"))
    reengagements = max(0, dice.below(8) - 4)
    next_call = timestamp(created + timedelta(minutes=dice.below(4320))) if waiting else None
    metadata = _metadata(dice, created, place, source, external_id)
    return {
        "id": lead_id,
        "email": None if turn % 10 == 9 else f"lead.{lead_id}.{dice.below(10_000):04}@example.com",
        "phone_number": f"+1{area}55501{dice.below(100):02}",
        "metadata": _ODD_METADATA.get(turn, metadata),
        "modified_time": timestamp(created + timedelta(microseconds=17_039)),
        "created_time": timestamp(created),
        "status": status,
        "status_reason": None if waiting else dice.pick((None, "NOT_INTERESTED", "NO_ANSWER")),
        "lead_source": source,
        "lead_type": dice.pick((123, 124, 130)),
        "next_call_time": MALFORMED_TIME if turn in _MALFORMED_AT else next_call,
        "next_call_time_reason": dice.pick(("FIRST_CALL", "RETRY")) if waiting else None,
        "external_id": external_id,
        "us_state": None if turn % 25 == 24 else state,
        "received_time": None if turn % 20 == 11 else timestamp(created - timedelta(seconds=2)),
        "reengagements_count": reengagements,
        "last_reengagement_time": timestamp(created + timedelta(days=1)) if reengagements else None,
        "call_schedule_start_time": dice.pick((None, None, None, timestamp(created + timedelta(hours=1)))),
        "sms_dnc": dice.below(20) == 0,
        "call_dnc": dice.below(25) == 0,
    }


def _metadata(
    dice: _Dice, created: datetime, place: tuple[str, ...], source: str, external_id: str | None
) -> dict[str, Any]:
    first_name, last_name = dice.pick(_NAMES)
    state, city, zip_code, _, zone = place
    return {
        "first_name": first_name,
        "last_name": last_name,
        "timezone": zone,
        "created_at": created.astimezone(_zone()).strftime("%m/%d/%Y %H:%M"),
        "street_address": f"{1 + dice.below(9999)} Example Street",
        "city": city,
        "state": state,
        "zip_code": zip_code,
        "property_type": dice.pick(("SINGLE_FAMILY", "CONDO", "TOWNHOUSE")),
        "property_use": dice.pick(("PRIMARY", "SECOND_HOME", "INVESTMENT")),
        "property_value": 50_000 + 1_000 * dice.below(900),
        "property_found": dice.pick((True, False, None)),
        "notes": dice.pick(_NOTES),
        "lead_source": source,
        "external_id": external_id,
    }


def sample_leads(count: int, seed: int = 0, *, first_id: int = FIRST_ID) -> list[Lead]:
    """Make ``count`` sample leads with consecutive ids from ``first_id`` (28000, as in the vendor's example).

    :raises ValueError: ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f"count is {count}; give 0 or more sample leads")
    return [sample_lead(lead_id, seed) for lead_id in range(first_id, first_id + count)]
