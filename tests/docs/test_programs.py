"""Pages that are programs of several parts: followed as a whole, they do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import pytest

from airflow_provider_sela.testing import SelaApi
from tests.conftest import REPOSITORY
from tests.docs.pages import blocks

DOCS = REPOSITORY / "docs"
pytestmark = pytest.mark.airflow


def run(folder: Path, *words: str, **environment: str) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**inherited, "no_proxy": "*", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_page_on_testing_pass(tmp_path: Path) -> None:
    files = ("leads.py", "conftest.py", "test_leads.py")
    for name, block in zip(files, blocks(DOCS / "testing.md", "python"), strict=False):
        (tmp_path / name).write_text(block.code)
    run(tmp_path, "-m", "pytest", "-q", "test_leads.py")


def test_its_program_without_pytest_runs(tmp_path: Path) -> None:
    *_, block = blocks(DOCS / "testing.md", "python")
    run(tmp_path, "-c", block.code)


def test_outcomes_of_calls_come_from_the_queue_once_and_nothing_is_lost(tmp_path: Path) -> None:
    """A message twice, one that is no JSON, one without the fields, one of a lead that nobody knows."""
    queue, dags, database = tmp_path / "queue", tmp_path / "dags", tmp_path / "leads.duckdb"
    queue.mkdir()
    dags.mkdir()
    told = {"id": 28_000, "email": "a@example.com", "call_count": 2, "last_chat": {"result": "BOOKED"}}
    messages = {"a": told, "b": told, "c": {"id": 28_001}, "d": {**told, "id": 1}}
    for name, message in messages.items():
        (queue / f"{name}.json").write_text(json.dumps(message))
    (queue / "e.json").write_text("nonsense")
    [block] = blocks(DOCS / "webhooks.md", "python")
    (dags / "call_outcomes.py").write_text(block.code.replace("/tmp/sela_webhooks", str(queue)))  # noqa: S108
    with SelaApi(leads=30) as api:
        environment = {
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps(api.connection),
            "AIRFLOW_CONN_LEADS_DB": json.dumps({"conn_type": "duckdb", "host": str(database)}),
        }
        run(tmp_path, "-m", "airflow", "db", "migrate", **environment)
        run(tmp_path, "-m", "airflow", "dags", "test", "call_outcomes", **environment)
    with duckdb.connect(str(database), read_only=True) as db:
        rows = db.sql("SELECT lead_id, call_count, last_chat FROM call_outcomes ORDER BY lead_id").fetchall()
        seen = db.sql("SELECT lead_id FROM call_outcomes JOIN leads ON leads.id = lead_id").fetchall()
    assert rows == [(1, 2, '{"result": "BOOKED"}'), (28_000, 2, '{"result": "BOOKED"}')]
    assert seen == [(28_000,)]
    assert sorted(file.name for file in queue.iterdir()) == ["c.refused", "e.refused"]


class Channel(BaseHTTPRequestHandler):
    """Takes messages as Slack's incoming webhooks do."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append(json.loads(body)["text"])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")


#: What the triggerer does with a deadline that was missed, and then a run that fails.
ALERTS = """
import asyncio
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

[dag] = DagBag("dags").dags.values()
[alert] = dag.deadline
assert alert.callback.path.endswith(".SlackWebhookNotifier")

async def fire():
    context = {"dag_run": SimpleNamespace(dag_id=dag.dag_id)}
    await SlackWebhookNotifier(**alert.callback.kwargs, context=context)

asyncio.run(fire())
assert dag.test().state == "failed"
"""


def test_the_alerts_of_the_page_on_places_reach_the_channel_and_tell_no_token(tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.slack")
    (tmp_path / "dags").mkdir()
    [block] = blocks(DOCS / "where.md", "python")
    (tmp_path / "dags" / "alerts.py").write_text(block.code)
    channel = ThreadingHTTPServer(("127.0.0.1", 0), Channel)
    channel.messages = []  # type: ignore[attr-defined]
    threading.Thread(target=channel.serve_forever, daemon=True).start()
    slack = {
        "conn_type": "slackwebhook",
        "host": f"http://127.0.0.1:{channel.server_port}",
        "password": "T/B/x",
    }
    with SelaApi(leads=3, token="another") as api:
        environment = {
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_SELA_DEFAULT": json.dumps({**api.connection, "password": "planted-token"}),
            "AIRFLOW_CONN_DUCKDB_DEFAULT": json.dumps(
                {"conn_type": "duckdb", "host": str(tmp_path / "x.duckdb")}
            ),
            "AIRFLOW_CONN_SLACK_DEFAULT": json.dumps(slack),
        }
        run(tmp_path, "-m", "airflow", "db", "migrate", **environment)
        run(tmp_path, "-c", ALERTS, **environment)
    channel.shutdown()
    channel.server_close()
    late, failed = channel.messages  # type: ignore[attr-defined]
    assert late == "leads_or_an_alert is late"
    assert failed.startswith("land_leads failed: ")
    assert "HTTP 401" in failed
    assert "planted-token" not in failed
