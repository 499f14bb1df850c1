"""Airflow's user interface in a headless Chromium."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.servers import binary, driver

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
#: Names the folder that pictures for the docs are written to; unset, none are.
PICTURES = "SELA_PICTURES"


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a browser that is there for as long as the ``with`` block lasts."""
    driver("playwright.sync_api")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=binary("chromium", "chromium"), args=_ARGUMENTS.split()
        )
        page = chromium.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(30_000)
        yield page
        chromium.close()


def open_form(page: Page, url: str, conn_id: str) -> None:
    """Open the form for a new connection of type Sela.

    :param url: of Airflow.
    """
    page.goto(f"{url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.get_by_label("Connection ID").fill(conn_id)
    page.get_by_role("combobox").fill("Sela")
    page.get_by_role("option", name="Sela", exact=True).click()
    page.get_by_role("textbox", name="API token").wait_for()


def fill(page: Page, fields: Mapping[str, str]) -> None:
    """Fill in fields of the open part of the form.

    :param fields: text by label.
    """
    for label, text in fields.items():
        page.get_by_role("textbox", name=label).or_(page.get_by_role("spinbutton", name=label)).fill(text)


def open_extras(page: Page) -> None:
    """Open the part of the form with the extras, which closes the other."""
    page.get_by_role("button", name="Extra Fields", exact=True).click()
    page.get_by_role("spinbutton", name="Timeout").wait_for()


def save(page: Page, conn_id: str) -> None:
    """Save what is in the form, and wait until the connection is in the list."""
    page.get_by_role("button", name="Save").click()
    page.get_by_role("row", name=conn_id).wait_for()


def press_test(page: Page, url: str, conn_id: str) -> int:
    """Press the Test button of a saved connection; returns the status of what Airflow answers.

    :param url: of Airflow.
    """
    # A list that is opened anew has no message over it.
    page.goto(f"{url}/connections")
    with page.expect_response("**/connections/test") as answer:
        page.get_by_role("row", name=conn_id).get_by_role("button", name="Test Connection").click()
    return int(answer.value.status)


def picture(shown: Page | Locator, name: str, **options: Any) -> None:
    """Take a picture for the docs, if somebody wants one.

    :param options: of Playwright's ``screenshot``.
    """
    folder = os.environ.get(PICTURES)
    if folder:
        # What has just been opened moves for a moment.
        time.sleep(0.6)
        shown.screenshot(path=Path(folder) / f"{name}.png", animations="disabled", **options)
