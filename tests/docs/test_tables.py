"""Tables on pages say what the code does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_sela import exceptions
from airflow_provider_sela.api.leads import LEAD_FIELDS
from airflow_provider_sela.api.request import DEFAULT_HOST
from airflow_provider_sela.exceptions import SelaError
from airflow_provider_sela.settings import EXTRA_FIELDS
from tests.conftest import REPOSITORY
from tests.docs.pages import table, word

README = REPOSITORY / "README.md"
DOCS = REPOSITORY / "docs"


def test_the_page_of_the_connection_lists_each_extra_with_its_default() -> None:
    rows = table(DOCS / "connection.md", "field", "meaning", "default")
    told = {word(row["field"]): row["default"] for row in rows if row["field"].startswith("extra")}
    assert list(told) == [item.name for item in EXTRA_FIELDS]
    for item in EXTRA_FIELDS:
        number = re.fullmatch(r"[\d.]+", told[item.name])
        assert (float(number[0]) if number else None) == item.default, item.name


@pytest.mark.parametrize("page", [README, DOCS / "connection.md"], ids=lambda page: page.name)
def test_a_page_says_what_the_host_is_by_default(page: Path) -> None:
    [host] = [row for row in table(page, "field", "meaning", "default") if row["field"] == "Host"]
    assert word(host["default"]) == DEFAULT_HOST


def test_the_page_on_tables_lists_every_field_of_a_lead() -> None:
    text = (DOCS / "landing.md").read_text().partition("The columns are the fields of the API")[2]
    assert re.findall(r"`(\w+)`", text.partition(". Each has")[0]) == [field.name for field in LEAD_FIELDS]


def test_when_things_fail_says_of_each_error_what_to_do_and_whether_airflow_retries() -> None:
    rows = table(DOCS / "failures.md", "error", "means", "cure")
    told = {word(row["error"]): row["Airflow retries"] for row in rows}
    classes = [
        one for _, one in inspect.getmembers(exceptions, inspect.isclass) if issubclass(one, SelaError)
    ]
    assert told == {
        one.__name__: "" if one is SelaError else "yes" if one.retryable else "no" for one in classes
    }
    assert all(row["cure"] and row["means"] for row in rows)


def test_completeness_explains_each_verdict() -> None:
    rows = table(DOCS / "completeness.md", "verdict", "in plain words")
    told = [word(row["verdict"]).partition("(")[0] for row in rows]
    assert told == ["ATOMIC", "PROVEN", "CONVERGED", "UNVERIFIED"]


def test_the_page_of_the_connection_names_each_field_as_the_form_does_and_its_bounds() -> None:
    rows = {word(row["field"]): row for row in table(DOCS / "connection.md", "field", "meaning", "default")}
    for item in EXTRA_FIELDS:
        row = rows[item.name]
        assert row["in the form"] == item.title
        bounds = [] if item.minimum is None else [item.minimum, item.maximum]
        assert [float(number) for number in re.findall(r"[\d.]+", row["allowed"].replace(",", ""))] == bounds
