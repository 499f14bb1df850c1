"""What is taken of an answer, kept in a file, and taken out of it again."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.privacy import Privacy
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot.windows import Entry, Window

SALT = "a salt of sixteen or more"
LEAD: Any = {
    "id": 7,
    "email": "ada@example.com",
    "phone_number": "+18045550123",
    "metadata": {"first_name": "Ada", "ssn": "000-00-0000"},
    "created_time": "1970-01-01T00:00:01+00:00",
    "modified_time": "1970-01-01T00:00:02+00:00",
}


def reply(*leads: Any, rejects: list[Any] | None = None, redact: Privacy | None = None) -> Reply:
    raw = list(map(RawLead.from_lead, leads))
    dates = {"date": 5_000_000, "age": 3, "expires": 9_000_000}
    page = Page(count=99, next_page=3, leads=raw, rejects=rejects or [], **dates)
    return Reply.from_page(Window(2, 10), page, redact, took=7_000)


def test_a_reply_comes_back_from_its_line_as_it_was() -> None:
    odd = {"id": 2**62, "metadata": ["\x00", "\ud800", 1.5, None, 10**30], "email": "ärger@example.com\n"}
    for one in (
        reply(LEAD, odd, rejects=[None, "x", {"email": "no id"}]),
        Reply.from_page(Window(9, 5), None, None),
    ):
        assert Reply.from_line(one.line()) == one
        assert one.line().count(b"\n") == 1


def test_the_proof_is_told_the_same_after_a_detour_through_a_file() -> None:
    one = reply(LEAD, rejects=[None])
    told = one.response(3, 8)
    assert Reply.from_line(one.line()).response(3, 8) == told
    assert (told.window, told.entries) == (Window(2, 10), [Entry(7, 1_000_000, 2_000_000)])
    assert (told.count, told.has_next, told.date, told.started, told.ended) == (99, True, 5_000_000, 3, 8)
    assert (told.gone, told.rejected, told.age, told.expires) == (False, 1, 3, 9_000_000)
    assert told.took == 7_000


def test_a_page_that_is_gone_is_told_as_gone() -> None:
    assert Reply.from_page(Window(9, 5), None, None).response(0, 1).gone


def test_nothing_that_is_hidden_is_in_a_reply_nor_in_its_line() -> None:
    privacy = Privacy(
        exclude_fields=["email"], hash_fields=["phone_number"], salt=SALT, drop_metadata=["ssn"]
    )
    one = reply(LEAD, rejects=[{"email": "ada@example.com", "phone_number": "+18045550123"}], redact=privacy)
    written = repr(vars(one)) + one.line().decode()
    assert "first_name" in written
    for hidden in ("ada@", "8045550123", "000-00", SALT):
        assert hidden not in written


def test_the_times_that_the_proof_needs_survive_a_rule_that_leaves_them_out() -> None:
    one = reply(LEAD, redact=Privacy(exclude_fields=["created_time", "modified_time"]))
    assert "modified_time" not in one.leads[0].decode()
    assert one.response(0, 1).entries == [Entry(7, 1_000_000, 2_000_000)]
