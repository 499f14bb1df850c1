"""``sela-demo`` as its reader runs it: a real Airflow, from nothing to a table, and what can come between."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sela.demo.interrupts import uninterrupted
from airflow_provider_sela.demo.steps import LEADS
from tests.airflow.demos import MIGRATED, PROGRAM, demo, environment, left_running
from tests.support.databases import DuckDB
from tests.support.disks import small_disk
from tests.support.terminal import LINES, Terminal

pytestmark = pytest.mark.airflow


def leads(folder: Path) -> list[dict[str, Any]]:
    """The rows of the demo's table."""
    warehouse = DuckDB(folder)
    warehouse.path = folder / "leads.duckdb"
    return warehouse.table()


@contextmanager
def another_program(code: str) -> Iterator[subprocess.Popen[str]]:
    """Python that has run this and still does."""
    command = [sys.executable, "-c", f"{code}\nprint('ready', flush=True)\ninput()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the reader's, whose name is not a plain one."""
    return tmp_path_factory.mktemp("öffne mich")


@pytest.fixture(scope="module")
def first(place: Path) -> Terminal:
    """A demo that has ended, at a terminal; one before it was stopped while Airflow made its database."""
    with Terminal([PROGRAM], place, environment()) as stopped:
        stopped.read_until("has a database of its own ...")
        while not list(place.glob("**/airflow.db")):
            assert stopped.process.poll() is None, stopped.output
            time.sleep(0.05)
        assert left_running(place)
        stopped.press("\x03")
        status = stopped.wait(60)
    assert (status, "Traceback" in stopped.output) == (130, False), stopped.output
    assert stopped.rows[-1].startswith("Stopped; nothing of the demo runs any more")
    assert left_running(place) == {}
    with Terminal([PROGRAM], place, environment()) as done:
        assert done.wait() == 0, done.output
    return done


def test_the_demo_lands_every_lead_after_one_that_was_stopped_in_the_middle(
    first: Terminal, place: Path
) -> None:
    rows = leads(place / "sela_demo")
    assert len(rows) == LEADS
    assert any(str(rows[0]["id"]) in row for row in first.rows)


def test_the_demo_fits_a_terminal_and_begins_and_ends_with_a_sentence(first: Terminal) -> None:
    assert len(first.rows) <= 20 < LINES
    assert first.rows[0] == "sela-demo lands 1,000 made-up leads in a DuckDB table, with a real Airflow."
    assert first.rows[-1] == "1,000 leads landed in sela_demo/leads.duckdb, PROVEN(id): none is missing."


def test_the_demo_ticks_each_step(first: Terminal) -> None:
    ticked = [row for row in first.rows if re.fullmatch(r"✓ .* \(\d+ s\)", row)]
    assert len(ticked) == 3
    assert not [row for row in first.rows if row.endswith("...")]


def test_a_terminal_that_is_too_narrow_is_not_written_over(tmp_path: Path) -> None:
    """Whatever a variable says, which may come from another one."""
    with Terminal([PROGRAM], tmp_path, {**environment(), "COLUMNS": "120"}, columns=40) as narrow:
        narrow.read_until("serves the leads (")
        narrow.press("\x03")
        assert narrow.wait(60) == 130
    assert "\r" not in narrow.output.replace("\r\n", "")


def test_the_demo_explains_its_words(first: Terminal) -> None:
    [counts] = [row for row in first.rows if "nulled" in row]
    assert counts == "1,000 read, 1,000 new, 0 changed, 20 nulled (malformed; raw in column extra)."
    [verdict] = [row for row in first.rows if row.startswith("Verdict")]
    told = r"Verdict PROVEN\(id\): all \d+ answers kept to one order, without a gap\."
    assert re.fullmatch(told, verdict)


def what_comes_next(output: str) -> dict[str, str]:
    """The commands of that list by what they are for."""
    lines = output.partition("Next:")[2].splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if line.startswith("  "))


def run(command: str, cwd: Path, path: str) -> str:
    """What a command prints that somebody pastes into a shell."""
    done = subprocess.run(
        ["sh", "-c", command],  # noqa: S607
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_table_opens_by_the_command_that_comes_next(first: Terminal, place: Path) -> None:
    assert "28000" in run(what_comes_next(first.output)["see the table"], place, os.environ["PATH"])


@pytest.mark.usefixtures("airflow_db")
def test_an_account_is_connected_by_the_command_that_comes_next(first: Terminal, place: Path) -> None:
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    try:
        command = what_comes_next(first.output)["connect your own account"]
        assert "Successfully added" in run(command, place, path)
    finally:
        run("airflow connections delete sela_default", place, path)


@pytest.fixture(scope="module")
def second(first: Terminal, place: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a demo says that finds the table of the first, from elsewhere, by uv, in ASCII."""
    before = leads(place / "sela_demo")
    variables = {"PYTHONIOENCODING": "ascii", "UV": "/usr/bin/uv"}
    done = demo(place / "sela_demo", cwd=tmp_path_factory.mktemp("elsewhere"), variables=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert leads(place / "sela_demo") == before
    return done.stdout


def test_a_second_demo_finds_that_nothing_is_new(second: str) -> None:
    assert "1,000 read, 0 new, 0 changed" in second


def test_an_output_without_ticks_says_ok_and_never_fails(second: str) -> None:
    assert [line[:3] for line in second.splitlines() if line.endswith(" s)")] == ["ok "] * 3
    assert "\\xf6ffne mich" in second


def test_commands_are_given_as_they_are_typed(second: str, place: Path) -> None:
    folder = str(place / "sela_demo").replace("ö", "\\xf6")
    assert what_comes_next(second)["see it in Airflow's UI"] == f"uv run --no-sync sela-demo --ui '{folder}'"


@pytest.mark.usefixtures("first")
def test_a_demo_that_is_told_to_end_ends_what_it_started(place: Path) -> None:
    with Terminal([PROGRAM], place, environment()) as stopped:
        stopped.read_until(MIGRATED)
        stopped.read_until("has run the DAG")
        while not left_running(place):
            assert stopped.process.poll() is None, stopped.output
            time.sleep(0.05)
        stopped.process.terminate()
        assert stopped.wait(60) == 130
    assert left_running(place) == {}
    assert "Traceback" not in stopped.output


def test_ctrl_c_between_the_start_of_a_process_and_its_being_known_waits() -> None:
    known = []

    def start() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            known.append("process")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
        assert known == ["process"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("first")
def test_a_demo_that_may_outlive_its_terminal_does(place: Path) -> None:
    command = f"trap '' HUP; exec '{PROGRAM}'"
    with Terminal(["sh", "-c", command], place, environment()) as terminal:
        terminal.read_until(MIGRATED)
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.wait() == 0
    assert terminal.rows[-1].endswith("none is missing.")


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{PROGRAM}' | head -n 1"],  # noqa: S607
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert left_running(tmp_path) == {}


def refusal(*arguments: str | Path, cwd: Path) -> str:
    """The one line of a demo that does not begin, and which is not long in coming."""
    started = time.monotonic()
    done = demo(*arguments, cwd=cwd)
    assert time.monotonic() - started < 15
    assert done.returncode == 1
    assert "(" not in done.stdout, "a step was begun"
    [line] = done.stderr.splitlines()
    assert line.startswith("sela-demo: ")
    return line.removeprefix("sela-demo: ")


def test_a_file_in_the_place_of_the_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sela_demo").write_text("mine")
    told = "is a file or lies below one; name a folder: sela-demo FOLDER"
    assert refusal(cwd=tmp_path) == f"sela_demo {told}"
    assert refusal("sela_demo/below", cwd=tmp_path) == f"sela_demo/below {told}"
    assert (tmp_path / "sela_demo").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        with small_disk(tmp_path / "disk") as disk:
            disk.read_only(on=True)
            told = refusal(cwd=disk.path)
    else:
        tmp_path.chmod(0o500)
        told = refusal(cwd=tmp_path)
    assert re.fullmatch(r"sela_demo cannot be written \([\w -]+\); name another folder: .*", told)


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4k") as disk:
        (disk.path / "sela_demo").mkdir()
        done = demo(cwd=disk.path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


def test_a_folder_with_files_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An Airflow of the reader's may live there: ``sela-demo ~`` must not take ``~/airflow``."""
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "airflow.db").write_text("mine")
    assert refusal(".", cwd=tmp_path).startswith(". holds other files; name a folder that is new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["airflow", "airflow.db"]


@pytest.mark.parametrize(("name", "told"), [("$HOME", "$HOME"), ("two\nlines", r"'two\nlines'")])
def test_a_folder_whose_name_airflow_would_expand_or_cannot_read_is_refused(
    tmp_path: Path, name: str, told: str
) -> None:
    said = f"Airflow cannot live in {told}; name a folder without ?, $ and line breaks"
    assert refusal(name, cwd=tmp_path) == said
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_open_elsewhere_is_told_at_once_with_its_holder(tmp_path: Path) -> None:
    folder = tmp_path / "sela_demo"
    folder.mkdir()
    (folder / ".sela-demo").touch()
    opening = f"import duckdb\nconnection = duckdb.connect({str(folder / 'leads.duckdb')!r})"
    with another_program(opening) as holder:
        told = refusal(cwd=tmp_path)
    assert re.fullmatch(
        rf"sela_demo/leads.duckdb is open in \S+ \(PID {holder.pid}\); close it there, then run this again",
        told,
    )


def test_a_file_that_is_not_duckdbs_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "sela_demo").mkdir()
    (tmp_path / "sela_demo" / ".sela-demo").touch()
    (tmp_path / "sela_demo" / "leads.duckdb").write_text("not a database" * 1000)
    assert "it is not a valid DuckDB database file" in refusal(cwd=tmp_path)


def test_two_demos_at_once_in_one_folder_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "sela_demo").mkdir()
    marker = tmp_path / "sela_demo" / ".sela-demo"
    locking = f"import fcntl\nheld = open({str(marker)!r}, 'w')\nfcntl.flock(held, fcntl.LOCK_EX)"
    with another_program(locking):
        assert refusal(cwd=tmp_path) == "another sela-demo runs in sela_demo; end it first"


def test_without_duckdb_the_demo_says_what_to_install(tmp_path: Path) -> None:
    program = "from airflow_provider_sela.demo import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['duckdb'] = None; {program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "sela-demo: DuckDB is not installed: pip install 'airflow-provider-sela[duckdb]'\n"


def test_a_step_that_fails_prints_the_line_that_matters_and_where_the_log_is(tmp_path: Path) -> None:
    """No file may grow as large as Airflow's database."""
    done = subprocess.run(
        [PROGRAM],
        cwd=tmp_path,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert [line[0] for line in done.stdout.splitlines()[1:]] == ["✓", "✗"]
    why, where = done.stderr.splitlines()
    assert re.fullmatch(
        r"sela-demo: airflow db migrate: .*(disk I/O error|File too large|disk is full).*", why
    )
    assert where == "The whole log: sela_demo/demo.log"
    assert "Traceback" in (tmp_path / "sela_demo" / "demo.log").read_text()


@pytest.mark.usefixtures("first")
def test_a_load_that_fails_prints_what_the_task_said(place: Path) -> None:
    """The table's file breaks while Airflow starts."""
    database = place / "sela_demo" / "leads.duckdb"
    content = database.read_bytes()
    with Terminal([PROGRAM], place, environment()) as terminal:
        terminal.read_until(MIGRATED)
        database.write_bytes(b"not a database" * 1000)
        assert terminal.wait() == 1
    database.write_bytes(content)
    assert "✗ Airflow has run the DAG" in terminal.output
    why = terminal.output.partition("sela-demo: airflow dags test ")[2]
    assert re.match(r"sela_leads_to_duckdb: SelaTargetError: connection '", why)
    assert "not a valid DuckDB database file" in why.replace("\r\n", "")
    assert why.rstrip().endswith("The whole log: sela_demo/demo.log")
