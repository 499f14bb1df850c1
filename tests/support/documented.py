"""The vendor's example of a lead, field by field as on the "List Leads" page."""

from __future__ import annotations

from typing import Any

DOCUMENTED: dict[str, Any] = {
    "id": 28013,
    "email": "ada@example.com",
    "phone_number": "+18042221111",
    "metadata": {"first_name": "Ada", "timezone": "US/Pacific", "created_at": "02/28/2025 15:09"},
    "modified_time": "2025-02-28T15:09:03.139554-08:00",
    "created_time": "2025-02-28T15:09:03.122515-08:00",
    "status": "OPEN",
    "status_reason": None,
    "lead_source": "USDALoans.com",
    "lead_type": 123,
    "next_call_time": "2025-02-28T15:09:03.122515-08:00",
    "next_call_time_reason": "FIRST_CALL",
    "external_id": "id_in_your_crm_123",
    "us_state": "CA",
    "received_time": "2025-02-28T15:09:03.122515-08:00",
    "reengagements_count": 0,
    "last_reengagement_time": None,
    "call_schedule_start_time": None,
    "sms_dnc": False,
    "call_dnc": False,
}
MALFORMED_TIME = "025-02-28T15:09:03.122515-08:00"
