"""The sample API as a process, as a fixture and as an import."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from airflow_provider_sela.testing import SelaApi
from tests.testing.client import ask, ask_once, connect

pytest_plugins = ["airflow_provider_sela.testing.fixtures"]

ROOT = Path(__file__).resolve().parents[2]
SERVE = ("-m", "airflow_provider_sela.testing")


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, *SERVE, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_process_serves_until_it_is_told_to_stop(stop: signal.Signals) -> None:
    process = start("--leads", "7", "--port", "0", "--token", "it's mine", "--page-size", "5", "--seed", "3")
    try:
        greeting, add = line(process.stdout), line(process.stdout)
        url = re.search(r"http://127\.0\.0\.1:\d+", greeting)
        assert url is not None
        assert greeting.startswith("Sela API with 7 sample leads at http://")
        words = shlex.split(add)
        assert words[:6] == ["airflow", "connections", "add", "sela_default", "--conn-type", "sela"]
        assert dict(zip(words[4::2], words[5::2], strict=True)) == {
            "--conn-type": "sela",
            "--conn-host": url[0],
            "--conn-password": "it's mine",
        }
        idle = connect(url[0])
        assert ask(idle, token="wrong").status == 401
        process.send_signal(stop)
        output, errors = process.communicate(timeout=10)
        idle.close()
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, output, errors) == (0, "", "")


def test_the_process_serves_the_leads_that_it_was_asked_for() -> None:
    options = ("--page-size", "5", "--seed", "3", "--rate-limit", "0.01", "--latency", "0.01")
    process = start("--leads", "7", "--port", "0", *options)
    try:
        url = re.search(r"http://\S+", line(process.stdout))
        assert url is not None
        answer = ask_once(url[0]).json()
        assert answer["count"] == 7
        assert answer["results"] == list(SelaApi(leads=7, seed=3).leads.values())[:5]
        assert ask_once(url[0]).status == 429
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_port_in_use_is_named() -> None:
    with SelaApi(leads=1) as api:
        port = api.url.rpartition(":")[2]
        done = run(*SERVE, "--port", port)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "try another --port" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--leads", "-1"], "count is -1"),
        (["--port", "70000"], "port"),
        (["--page-size", "0"], "page_size"),
        (["--latency", "-1"], "argument --latency: -1 is no number of seconds, 0 or more"),
        (["--latency", "nan"], "argument --latency: nan is no number of seconds"),
        (["--latency", "long"], "argument --latency: invalid"),
        (["--rate-limit", "0"], "argument --rate-limit: 0 is no rate above 0; leave it out for no limit"),
        (["--rate-limit", "inf"], "argument --rate-limit: inf is no rate above 0"),
        (["--token", " "], "argument --token: it is empty"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: list[str], message: str) -> None:
    done = run(*SERVE, *arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_the_import_needs_the_standard_library_only() -> None:
    code = (
        "import sys, airflow_provider_sela.testing.__main__\n"
        "roots = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(name for name in roots if not name.startswith('_')))\n"
    )
    done = run("-S", "-c", code)
    assert (done.stdout.strip(), done.stderr) == ("['airflow_provider_sela']", "")


def test_the_fixture_serves_fresh_leads(sela_api: SelaApi) -> None:
    assert ask_once(sela_api.url).json()["count"] == 250
    sela_api.delete(28000)


def test_the_fixture_serves_fresh_leads_again(sela_api: SelaApi) -> None:
    assert ask_once(sela_api.url).json()["count"] == 250


@pytest.mark.airflow
def test_the_fixture_is_airflow_s_default_connection(sela_api: SelaApi) -> None:
    from airflow.providers.common.compat.sdk import BaseHook

    connection: Any = BaseHook.get_connection("sela_default")
    assert (connection.conn_type, connection.host, connection.password) == (
        "sela",
        sela_api.url,
        sela_api.token,
    )
    assert connection.extra_dejson == {}
