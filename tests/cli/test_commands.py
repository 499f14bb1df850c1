"""The commands, as a person at a terminal and as a script meet them."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from email.utils import formatdate
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela import __version__, cli
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.testing import Request, Response, SelaApi, drf, sample_leads
from tests.triggers.waits import Shuffled, Substring, Unfiltered, connect, lead

PERSONAL = {
    "email": "planted@example.com",
    "phone_number": "+18045550199",
    "metadata": {"first_name": "Planted"},
}
TOKEN = "planted-token-4711"


class Stubborn(SelaApi):
    """A server that goes by a page size of its own."""

    def paginate(self, leads: Any, page: str, page_size: int, query: Any) -> Any:
        return super().paginate(leads, page, 50, query)


class Blind(SelaApi):
    """A server that finds nothing by external_id."""

    def select(self, filters: dict[str, str]) -> Any:
        return [] if "external_id" in filters else super().select(filters)


@contextmanager
def sample_server(leads: int) -> Iterator[dict[str, Any]]:
    """The sample API, which lets two requests a second through; gives the connection."""
    with SelaApi(leads=leads, token=TOKEN) as api:
        api.rate_limit = 2
        yield {**api.connection, "extra": {"page_size": 50}}


@contextmanager
def django_server(leads: int) -> Iterator[dict[str, Any]]:
    """A Django REST Framework that lets two requests a second through; gives the connection."""
    pytest.importorskip("rest_framework", reason="in the development environment alone")
    from tests.testing import drf_app

    drf_app.create_database()
    with drf_app.holding(sample_leads(leads)), drf_app.throttled("2/sec"), drf_app.served() as url:
        yield {"conn_type": "sela", "host": url, "password": drf_app.TOKEN, "extra": {"page_size": 50}}


class Answering(SelaApi):
    """A server whose answers carry more headers."""

    more: dict[str, str]

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        response.headers |= self.more
        return response


class Aged(Answering):
    more = {"Age": "40"}  # noqa: RUF012


class Expiring(Answering):
    more = {"Cache-Control": "public, max-age=60"}  # noqa: RUF012


class AtCloudflare(Answering):
    more = {"CF-Cache-Status": "HIT"}  # noqa: RUF012


class Lagging(SelaApi):
    """A server, one of whose machines gives a page that it has kept for a minute."""

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        if request.query.get("page_size") == "1":
            response.headers["Date"] = formatdate(time.time() - 60, usegmt=True)
        return response


class Limited(SelaApi):
    """A server that pages only so far: the next page is none, and those behind it are refused."""

    refusal: int | None = None

    def paginate(self, leads: Any, page: str, page_size: int, query: Any) -> Any:
        found = super().paginate(leads, page, page_size, query)
        deepest = 80 // page_size
        if self.refusal is None and int(page) > deepest:
            return replace(found, results=[], next=None)
        return replace(found, next=None) if int(page) == deepest else found

    def respond(self, request: Request) -> Response:
        size = min(int(request.query["page_size"]), self.max_page_size or 1000)
        if self.refusal is not None and int(request.query["page"]) * size > 80:
            return drf.refusal(self.refusal, "Result window is too large.")
        return super().respond(request)


class Refusing(Limited):
    refusal = 404


class RefusingRequests(Limited):
    refusal = 400


class Forbidding(Limited):
    refusal = 403


class OnePage(SelaApi):
    """A server that says of no page that another follows."""

    def paginate(self, leads: Any, page: str, page_size: int, query: Any) -> Any:
        return replace(super().paginate(leads, page, page_size, query), next=None)


class Joined(SelaApi):
    """A server that shows a lead twice for each of its two tags."""

    def select(self, filters: dict[str, str]) -> Any:
        return [item for item in super().select(filters) for _ in range(1 + item["id"] % 2)]


class Shrinking(SelaApi):
    """A server whose leads are deleted while they are looked at, all but a few."""

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        if request.query["page_size"] != "1":
            for number in [*self.leads][10:]:
                self.delete(number)
        return response


Served = Callable[[int], AbstractContextManager[dict[str, Any]]]


def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    api: SelaApi,
    *words: str,
    **extra: Any,
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    connect(monkeypatch, api, **extra)
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    out, err = capsys.readouterr()
    assert TOKEN not in out + err
    return int(end.value.code or 0), out, err


CAPPED, CAP = {"max_page_size": 40}, {"page_size": 40}


@pytest.mark.parametrize(
    ("kind", "options", "extra", "status", "facts"),
    [
        (SelaApi, {}, {}, 0, {"count": 300, "external_id_filter": "exact", "page_size_honoured": True}),
        (SelaApi, {"max_page_size": 40}, {}, 1, {"page_size_cap": 40, "recommended": {"page_size": 40}}),
        (SelaApi, {"max_page_size": 40}, {"page_size": 40}, 0, {"page_size_cap": 40, "remarks": []}),
        (Stubborn, {}, {}, 1, {"page_size_honoured": False, "recommended": {"page_size": 50}}),
        (Shuffled, {}, {}, 1, {"orders": []}),
        (Unfiltered, {}, {}, 1, {"external_id_filter": "ignored"}),
        (Substring, {}, {}, 0, {"external_id_filter": "wider"}),
        (Blind, {}, {}, 1, {"external_id_filter": "blind"}),
        (SelaApi, {}, {}, 0, {"cached": False, "repeated": False, "pages": "all"}),
        (Aged, {}, {}, 1, {"cached": True}),
        (Expiring, {}, {}, 1, {"cached": True}),
        (AtCloudflare, {}, {}, 1, {"cached": True}),
        (Lagging, {}, {}, 1, {"cached": True}),
        (Limited, CAPPED, CAP, 1, {"pages": "page 8 shows no lead"}),
        (Refusing, CAPPED, CAP, 1, {"pages": "page 8 is refused"}),
        (RefusingRequests, CAPPED, CAP, 1, {"pages": "page 8 is refused"}),
        (Forbidding, CAPPED, CAP, 1, {"pages": "page 8 is refused"}),
        (OnePage, CAPPED, CAP, 1, {"pages": "no page follows the first 40 leads"}),
        (Joined, {}, {}, 1, {"repeated": True, "orders": [], "count": 450}),
        (Shrinking, CAPPED, CAP, 0, {"pages": "all"}),
    ],
)
def test_check_tells_how_the_server_behaves(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: type[SelaApi],
    options: dict[str, Any],
    extra: dict[str, Any],
    status: int,
    facts: dict[str, Any],
) -> None:
    leads = [lead(number, external_id=f"w{number}") for number in range(1, 301)]
    with kind(leads=leads, token=TOKEN, **options) as api:
        ended, out, _ = run(capsys, monkeypatch, api, "check", "--output", "json", **extra)
        told = json.loads(out)
        assert told["requests"] == len(api.requests) <= 6
    assert told["throttled"] is False
    assert ended == status
    assert told["fine"] == (status == 0)
    told["recommended"].pop("concurrency")
    assert {name: told[name] for name in facts} == facts


@pytest.mark.parametrize("leads", [[], [lead(7, external_id=None), lead(8, external_id=" ")]])
def test_check_judges_no_filter_by_leads_that_have_no_external_id(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, leads: list[Any]
) -> None:
    """As in an account that is new, or whose leads come from elsewhere than a CRM."""
    with SelaApi(leads=leads, token=TOKEN) as api:
        ended, out, _ = run(capsys, monkeypatch, api, "check", "--output", "json")
        assert not [request for request in api.requests if "external_id" in request.query]
    told = json.loads(out)
    assert (ended, told["count"], told["external_id_filter"]) == (0, len(leads), "unknown")


@pytest.mark.parametrize("leads", [3, 300])
@pytest.mark.parametrize("served", [sample_server, django_server])
def test_check_passes_a_throttled_server_and_recommends_a_rate_below_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, served: Served, leads: int
) -> None:
    """Two requests a second, few enough for a slow machine; with the recommended extra none is refused."""
    with served(leads) as connection:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        with pytest.raises(SystemExit) as end:
            cli.main(["check", "--output", "json"])
        told = json.loads(capsys.readouterr().out)
        assert (end.value.code, told["throttled"], told["count"]) == (1, True, leads)
        assert told["requests"] > 6
        assert [text.partition(":")[0] for text in told["remarks"] if "rate" in text] == ["rate"]
        assert 1 < told["recommended"]["requests_per_second"] <= 2
        extra = {name: told["recommended"][name] for name in ("requests_per_second", "page_size")}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps({**connection, "extra": extra}))
        # What was asked for before must not count against it.
        time.sleep(1.1)
        with pytest.raises(SystemExit) as end:
            cli.main(["check", "--output", "json"])
        told = json.loads(capsys.readouterr().out)
        assert (told["throttled"], told["requests"], told["remarks"]) == (False, 6, [])
        assert end.value.code == 0


def test_a_throttle_that_lets_through_too_little_is_told_instead_of_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SelaApi(leads=3, token=TOKEN) as api:
        api.answer_next(429, headers={"Retry-After": "3600"})
        started = time.monotonic()
        ended, out, err = run(capsys, monkeypatch, api, "check")
    assert (ended, out) == (2, "")
    assert "HTTP 429: too many requests for this token" in err
    assert time.monotonic() - started < 10


def test_a_token_that_is_used_up_when_the_check_begins_gives_no_rate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was let through before, so there is nothing to tell a rate from."""
    with SelaApi(leads=3, token=TOKEN) as api:
        api.answer_next(429, headers={"Retry-After": "0"})
        ended, out, _ = run(capsys, monkeypatch, api, "check", "--output", "json")
    told = json.loads(out)
    assert (ended, told["throttled"], told["requests"]) == (0, False, 7)


def test_an_extra_that_nothing_reads_is_told_by_check_and_by_one_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    extra = {"pagesize": 500, "page_size": 500}
    with SelaApi(leads=300, token=TOKEN) as api:
        ended, out, _ = run(capsys, monkeypatch, api, "check", **extra)
        assert ended == 1
        assert "! extras       'pagesize' is unknown and has no effect: is 'page_size' meant?\n" in out
        monkeypatch.setenv(
            "AIRFLOW_CONN_SELA_MISSPELT", json.dumps({**api.connection, "extra": {"pagesize": 500}})
        )
        caplog.clear()
        for _ in range(3):
            hook = SelaHook("sela_misspelt")
            assert hook.count_leads() == 300
            hook.close()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [
        "Sela: connection 'sela_misspelt': extra 'pagesize' is unknown and has no effect: "
        "is 'page_size' meant?"
    ]


@pytest.mark.parametrize(
    "words", [("--version",), *((name, "--version") for name in ("check", "leads", "dbt"))]
)
def test_the_version_is_shown(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 0
    shown = f"airflow-provider-sela {__version__} (apache-airflow {version('apache-airflow')})\n"
    assert capsys.readouterr().out == shown


def test_all_fields_of_a_lead_are_shown_one_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [lead(7, external_id="w1", **PERSONAL), lead(8, external_id="w1", note="a\nb\x1b[2J")]
    with SelaApi(leads=found, token=TOKEN) as api:
        words = ("leads", "--external-id", "w1", "--show-personal-data")
        _, out, _ = run(capsys, monkeypatch, api, *words)
    first, second = (block.splitlines() for block in out.strip("\n").split("\n\n"))
    assert [line.split()[0] for line in first] == list(found[0])
    assert [line.split()[0] for line in second] == list(found[1])
    assert len({line.index(line.split(maxsplit=1)[1]) for line in first if len(line.split()) > 1}) == 1
    assert "planted@example.com" in out
    assert "\x1b" not in out


def test_check_says_the_same_to_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SelaApi(leads=[lead(7, **PERSONAL), lead(8, **PERSONAL)], token=TOKEN) as api:
        ended, out, _ = run(capsys, monkeypatch, api, "check")
        assert (ended, out.splitlines()[0]) == (0, f"Connection sela_default: {api.url}")
        assert re.search(r"^  leads +2$", out, re.MULTILINE)
        assert f"{len(api.requests)} requests were sent." in out
    assert "lanted" not in out


@pytest.mark.parametrize("command", [("check",), ("leads", "--external-id", "w1")])
def test_what_does_not_work_is_told_with_its_cure_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    with SelaApi(leads=3, token="another") as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps({**api.connection, "password": TOKEN}))
        with pytest.raises(SystemExit) as end:
            cli.main(command)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert "'sela_default': HTTP 401" in err
    assert "Password" in err
    assert TOKEN not in err


@pytest.mark.usefixtures("airflow_db")
def test_a_connection_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["check", "--conn-id", "nowhere"])
    assert end.value.code == 2
    assert "'nowhere' is not defined" in capsys.readouterr().err


def test_leads_shows_nothing_personal_unless_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("leads", "--external-id", "w1")
    with SelaApi(
        leads=[lead(7, external_id="w1", **PERSONAL), lead(8, external_id="w2")], token=TOKEN
    ) as api:
        for output in ("table", "json"):
            ended, out, err = run(capsys, monkeypatch, api, *words, "--output", output)
            assert ended == 0
            assert "lanted" not in out + err
            assert "+1804" not in out + err
            assert re.search(r"\b7\b", out)
        _, out, _ = run(capsys, monkeypatch, api, *words, "--output", "json", "--show-personal-data")
        assert json.loads(out) == [api.leads[7]]
        _, out, _ = run(capsys, monkeypatch, api, *words, "--show-personal-data")
        assert "planted@example.com" in out


@pytest.mark.parametrize(("output", "nothing"), [("json", "[]\n"), ("table", "")])
def test_leads_says_by_its_status_that_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: str, nothing: str
) -> None:
    with SelaApi(leads=3, token=TOKEN) as api:
        ended, out, err = run(capsys, monkeypatch, api, "leads", "--external-id", "w1", "--output", output)
    assert (ended, out) == (1, nothing)
    assert "no lead has this external_id" in err


def test_no_value_of_a_lead_can_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SelaApi(leads=[lead(7, external_id="w1", status="\x1b[2J\r\n")], token=TOKEN) as api:
        _, out, _ = run(capsys, monkeypatch, api, "leads", "--external-id", "w1")
    assert "\x1b" not in out
    assert r"\u001b[2J\r\n" in out


def test_retries_are_told_on_standard_error_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SelaApi(leads=[lead(7, external_id="w1")], token=TOKEN) as api:
        api.answer_next(503)
        ended, out, _ = run(capsys, monkeypatch, api, "leads", "--external-id", "w1", "--output", "json")
    assert ended == 0
    assert [item["id"] for item in json.loads(out)] == [7]


def test_what_an_output_cannot_encode_is_written_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (
        SelaApi(leads=[lead(7, external_id="w1", status="caf\u00e9")], token=TOKEN) as api,
        (tmp_path / "out").open("w", encoding="ascii") as output,
    ):
        monkeypatch.setattr(sys, "stdout", output)
        ended, _, err = run(capsys, monkeypatch, api, "leads", "--external-id", "w1")
    assert (ended, err) == (0, "")
    assert "caf\\xe9" in (tmp_path / "out").read_text()


PLAIN = (sys.executable, "-m", "airflow_provider_sela")


def environment(api: SelaApi) -> dict[str, str]:
    """With a connection, and a key, without which Airflow says something of its own."""
    key = "A" * 43 + "="
    connection = json.dumps(api.connection)
    return {**os.environ, "AIRFLOW_CONN_SELA_DEFAULT": connection, "AIRFLOW__CORE__FERNET_KEY": key}


def ended(words: tuple[str, ...], api: SelaApi, output: str) -> tuple[int, str]:
    """Status of a command with an output of the shell's, and what it said, warnings of Airflow before it."""
    done = subprocess.run(
        ["sh", "-c", f"{{ {shlex.join(PLAIN + words)}; echo $? >&2; }} {output}"],  # noqa: S607
        env=environment(api),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    *told, status = done.stderr.splitlines()
    return int(status), "\n".join(told)


@pytest.mark.airflow
@pytest.mark.parametrize("words", [("check",), ("leads", "--external-id", "w1"), ("dbt", "sources")], ids=str)
def test_a_reader_who_has_seen_enough_changes_no_status_and_gets_no_traceback(words: tuple[str, ...]) -> None:
    with SelaApi(leads=[lead(7, external_id="w1")], token=TOKEN) as api:
        status, told = ended(words, api, "| true")
    assert status == 0
    assert "Traceback" not in told
    assert "BrokenPipe" not in told


@pytest.mark.airflow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_an_output_that_is_full_is_told_with_status_2() -> None:
    with SelaApi(leads=[lead(7, external_id="w1")], token=TOKEN) as api:
        status, told = ended(("check",), api, ">/dev/full")
    assert status == 2
    assert told.splitlines()[-1] == "the result cannot be written (No space left on device)"
    assert "Traceback" not in told


@pytest.mark.airflow
def test_ctrl_c_stops_a_command_without_a_traceback() -> None:
    with SelaApi(leads=3, token=TOKEN, latency=60) as api:
        process = subprocess.Popen(
            [*PLAIN, "check"],
            env=environment(api),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not api.requests:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.splitlines()[-1]) == (130, "", "stopped")
    assert "Traceback" not in err
