"""The dlt source, over real HTTP into a real DuckDB."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from airflow_provider_sela.api.leads import LEAD_FIELDS, lead_row
from airflow_provider_sela.exceptions import SelaIncompleteError, SelaRequestError, SelaSetupError
from airflow_provider_sela.testing import SelaApi, sample_lead, sample_leads
from airflow_provider_sela.warehouse.anchors import NO_LOAD, OTHER
from tests.conftest import REPOSITORY
from tests.support.errors import chain
from tests.support.nasty import CASES
from tests.support.odd_metadata import DEEP, METADATA

dlt = pytest.importorskip("dlt")

from airflow_provider_sela.dlt import sela_leads  # noqa: E402 (not before dlt is known to be there)

_SERIAL = count()
SALT = "a salt of many characters"


class Target:
    """A DuckDB file that a dlt pipeline loads into."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "leads.duckdb"
        self._folder = folder

    def pipeline(self) -> Any:
        """A pipeline that has no memory of its earlier runs, as on another worker."""
        return dlt.pipeline(
            "sela",
            destination=dlt.destinations.duckdb(str(self.path)),
            dataset_name="crm",
            pipelines_dir=str(self._folder / f"pipelines-{next(_SERIAL)}"),
        )

    def load(self, **arguments: Any) -> None:
        self.pipeline().run(sela_leads(**arguments))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET schema = 'crm'")
            return list(connection.execute(sql).fetchall())

    def tables(self) -> set[str]:
        import duckdb

        with duckdb.connect(str(self.path)) as connection:
            return {
                name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            }


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("PROVIDERS__ENABLE_AIRFLOW_SECRETS", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.chdir(tmp_path)
    return Target(tmp_path)


@pytest.fixture
def sela(api: SelaApi, monkeypatch: pytest.MonkeyPatch) -> SelaApi:
    """The sample API of 250 leads as ``sela_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
    return api


Serve = Callable[[Sequence[dict[str, Any]]], SelaApi]


@pytest.fixture
def serve(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Serve:
    def of(leads: Sequence[dict[str, Any]]) -> SelaApi:
        server = SelaApi(leads=leads)
        server.__enter__()
        request.addfinalizer(server.close)
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        return server

    return of


def test_every_lead_lands_with_its_types_and_the_verdict_beside_it(sela: SelaApi, target: Target) -> None:
    target.load()
    assert target.rows("SELECT id FROM leads ORDER BY id") == [(number,) for number in sela.leads]
    types = dict(
        target.rows(
            "SELECT column_name, data_type FROM duckdb_columns()"
            " WHERE table_name = 'leads' AND schema_name = 'crm'"
        )
    )
    named = {
        "integer": "BIGINT", "text": "VARCHAR", "timestamp": "TIMESTAMP WITH TIME ZONE", "boolean": "BOOLEAN",
        "json": "JSON",
    }  # fmt: skip
    expected = {name: named[kind.value] for name, kind in LEAD_FIELDS} | {"extra": "JSON"}
    assert {name: type_ for name, type_ in types.items() if not name.startswith("_dlt_")} == expected
    ((verdict, read, nulled, rejected, requests, loads),) = target.rows(
        "SELECT verdict, read, nulled, rejected, requests, (SELECT COUNT(*) FROM _dlt_loads) FROM _sela_loads"
    )
    assert (verdict, read, nulled, rejected, requests, loads) == (
        "PROVEN(id)",
        250,
        5,
        0,
        len(sela.requests),
        1,
    )


def test_a_rerun_adds_nothing_and_a_changed_lead_is_updated(sela: SelaApi, target: Target) -> None:
    target.load()
    before = target.rows("SELECT * EXCLUDE (_dlt_load_id, _dlt_id) FROM leads ORDER BY id")
    target.load()
    assert target.rows("SELECT * EXCLUDE (_dlt_load_id, _dlt_id) FROM leads ORDER BY id") == before
    sela.update(28_007, status="LOST")
    target.load()
    assert target.rows("SELECT COUNT(*), COUNT(*) FILTER (status = 'LOST' AND id = 28007) FROM leads") == [
        (250, 1)
    ]
    assert target.rows("SELECT COUNT(*) FROM _sela_loads") == [(3,)]


def test_whatever_a_lead_holds_it_lands_as_it_came(serve: Serve, target: Target) -> None:
    metadata = [*METADATA.values(), DEEP, [DEEP, 2**70], {"marked": "\\uf026"}]
    leads = [
        *({"id": 2**62 + number, **case.lead} for number, case in enumerate(CASES.values())),
        *({"id": number, "metadata": value} for number, value in enumerate(metadata, 1)),
    ]
    # The sample API writes UTF-8, in which an unpaired surrogate cannot be sent; an escape can.
    page = {"count": len(leads), "next": None, "previous": None, "results": leads}
    serve([]).answer_next(200, body=json.dumps(page), times=9)
    target.load()
    rows = target.rows(
        "SELECT id, email, status_reason, metadata, extra, created_time::VARCHAR, received_time::VARCHAR,"
        " reengagements_count, lead_type, sms_dnc, call_dnc FROM leads"
    )
    found = {row[0]: row for row in rows}
    assert len(found) == len(leads)
    for lead in leads:
        expected = lead_row(lead).values
        _, email, reason, json_text, extra, created, received, *rest = found[lead["id"]]
        assert (email, reason) == (expected["email"], expected["status_reason"])
        assert _parsed(json_text) == _parsed(expected["metadata"])
        assert _parsed(extra) == _parsed(expected["extra"])
        assert (_moment(created), _moment(received)) == (expected["created_time"], expected["received_time"])
        names = ("reengagements_count", "lead_type", "sms_dnc", "call_dnc")
        assert rest == [expected[name] for name in names]


def test_what_dlt_would_take_for_a_mark_of_its_own_is_made_visible(serve: Serve, target: Target) -> None:
    """dlt reads a text that begins with U+F026 as a number in text."""
    serve(
        [
            {
                "id": 1,
                "email": "\uf02612",
                "metadata": {"a": "\uf02612", "b": ["\uf027x"], "\uf026k": "a\uf026"},
            }
        ]
    )
    target.load()
    ((email, metadata),) = target.rows("SELECT email, metadata FROM leads")
    assert email == "\\uf02612"
    assert json.loads(metadata) == {"a": "\\uf02612", "b": ["\\uf027x"], "\\uf026k": "a\uf026"}


def test_results_without_an_id_are_kept_once(serve: Serve, target: Target) -> None:
    class Sloppy(SelaApi):
        def select(self, filters: dict[str, str]) -> Sequence[Any]:
            return [{"email": "no.id@example.com"}, *super().select(filters)]

    with Sloppy(leads=5) as api, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        target.load(on_unverified="warn")
        target.load(on_unverified="warn")
    assert target.rows("SELECT raw FROM _sela_rejects") == [('{"email":"no.id@example.com"}',)]
    assert target.rows("SELECT DISTINCT read, rejected FROM _sela_loads") == [(5, 1)]


@pytest.mark.skipif(
    Version(version("dlt")) < Version("1.31"), reason="older ones create the table with the first lead"
)
def test_no_leads_make_an_empty_table(serve: Serve, target: Target) -> None:
    serve([])
    target.load()
    assert target.rows("SELECT COUNT(*) FROM leads") == [(0,)]
    assert target.rows("SELECT verdict, read FROM _sela_loads") == [("ATOMIC", 0)]


def test_renamed_fields_are_told_in_the_books(serve: Serve, target: Target) -> None:
    lead: Any = dict(sample_leads(1)[0])
    lead["reengagement_count"] = lead.pop("reengagements_count")
    serve([lead])
    target.load()
    told = target.rows("SELECT missing_fields, unknown_fields FROM _sela_loads")
    assert told == [("reengagements_count", "reengagement_count")]


class Restless(SelaApi):
    """Shows only leads that no answer has shown before, in no order, so that no two passes agree."""

    def select(self, filters: dict[str, str]) -> Sequence[Any]:
        return [sample_lead(next(_SERIAL) ^ 1) for _ in range(120)]


def test_a_read_that_is_not_verified_loads_nothing(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    with Restless(max_page_size=40) as api:
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(api.connection))
        with pytest.raises(Exception, match="completeness could not be established") as failure:
            target.load()
    assert SelaIncompleteError in map(type, chain(failure.value))
    assert target.tables() == set()


def test_privacy_options_keep_fields_out_of_every_file(
    sela: SelaApi, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
    target.load(
        exclude_fields=["email"], hash_fields=["phone_number"], salt_conn_id="salt", keep_metadata=["city"]
    )
    assert target.rows("SELECT COUNT(*), COUNT(email), MAX(length(phone_number)) FROM leads") == [
        (250, 0, 32)
    ]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for hidden in (b"@example.com", b"55501", b"Example Street", SALT.encode()):
            assert hidden not in content, path


def test_the_leads_may_have_another_name_and_another_way_of_writing(sela: SelaApi, target: Target) -> None:
    (program,) = (block for block in _blocks() if "apply_hints" in block)
    names: dict[str, Any] = {}
    exec(program.replace("your_crm_123", "id_in_your_crm_28003"), names)  # noqa: S102 (the docs)
    target.pipeline().run(names["source"])
    assert target.rows("SELECT id, email FROM crm_leads") == [(28_003, None)]
    assert target.rows("SELECT read FROM _sela_loads") == [(1,)]


def status_only(lead: dict[str, Any]) -> dict[str, Any]:
    """A map that fails on anything but a lead."""
    return {"id": lead["id"], "status": lead["status"].title()}


def lost(lead: dict[str, Any]) -> bool:
    return bool(lead["status"] == "LOST")


STEPS: dict[str, Callable[[Any], Any]] = {
    "a map": lambda leads: leads.add_map(status_only),
    "a filter": lambda leads: leads.add_filter(lost),
    "a cursor": lambda leads: leads.apply_hints(incremental=dlt.sources.incremental("modified_time")),
    "a limit": lambda leads: leads.add_limit(1),
    "threads": lambda leads: leads.parallelize(),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_dlt_does_to_leads_meets_no_row_of_the_books(step: str, sela: SelaApi, target: Target) -> None:
    wanted = {key for key, lead in sela.leads.items() if step != "a filter" or lead["status"] == "LOST"}
    source = sela_leads()
    STEPS[step](source.leads)
    target.pipeline().run(source)
    assert {key for (key,) in target.rows("SELECT id FROM leads")} == wanted != set()
    assert target.rows("SELECT verdict, read, requests FROM _sela_loads") == [
        ("PROVEN(id)", 250, len(sela.requests))
    ]


def test_a_limit_counts_batches_of_leads_and_the_books_tell_of_the_whole_read(
    serve: Serve, target: Target
) -> None:
    serve(sample_leads(1500))
    target.pipeline().run(sela_leads().add_limit(1))
    assert target.rows("SELECT COUNT(*) FROM leads") == [(1000,)]
    assert target.rows("SELECT read FROM _sela_loads") == [(1500,)]


@pytest.mark.parametrize("mode", ["fifo", "round_robin"])
def test_leads_and_books_are_of_one_read_in_whatever_order_dlt_asks(
    mode: str, sela: SelaApi, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACT__NEXT_ITEM_MODE", mode)
    target.load()
    assert target.rows("SELECT COUNT(*) FROM leads") == [(250,)]
    assert target.rows("SELECT requests FROM _sela_loads") == [(len(sela.requests),)]


def test_a_source_that_is_run_twice_reads_twice(sela: SelaApi, target: Target) -> None:
    source = sela_leads()
    for status in ("OPEN", "CLOSED"):
        sela.update(28_007, status=status)
        target.pipeline().run(source)
        assert target.rows("SELECT status FROM leads WHERE id = 28007") == [(status,)]
    assert target.rows("SELECT COUNT(*), SUM(requests) FROM _sela_loads") == [(2, len(sela.requests))]


def test_a_load_that_failed_can_be_run_again_with_the_same_source(sela: SelaApi, target: Target) -> None:
    source, failures = sela_leads(), iter([True])

    def fail_once(lead: dict[str, Any]) -> dict[str, Any]:
        if next(failures, False):
            raise RuntimeError("a map of the user's fails")
        return lead

    source.leads.add_map(fail_once)
    with pytest.raises(Exception, match="a map of the user's fails"):
        target.pipeline().run(source)
    before = len(sela.requests)
    target.pipeline().run(source)
    assert target.rows("SELECT COUNT(*) FROM leads") == [(250,)]
    assert target.rows("SELECT requests FROM _sela_loads") == [(len(sela.requests) - before,)]


def test_only_what_is_selected_lands(sela: SelaApi, target: Target) -> None:
    target.pipeline().run(sela_leads().with_resources("leads"))
    assert target.rows("SELECT COUNT(*) FROM leads") == [(250,)]
    assert "_sela_loads" not in target.tables()


def test_the_disk_is_given_back_when_all_tables_have_their_rows(sela: SelaApi, target: Target) -> None:
    def spools() -> int:
        """Files without a name that this process has open."""
        found = 0
        for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 (no files)
            with suppress(OSError):
                found += os.fstat(int(descriptor)).st_nlink == 0
        return found

    before, source = spools(), sela_leads()
    target.pipeline().run(source)
    assert spools() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"email": ""}, "email is empty"),
        ({"on_unverified": "maybe"}, "on_unverified is 'maybe'"),
        ({"exclude_fields": ["emial"]}, "exclude_fields.*the nearest is email"),
        ({"hash_fields": ["email"]}, "hash_fields needs a salt"),
        ({"page_size": 0}, "page_size is 0"),
        ({"salt_conn_id": ""}, "salt_conn_id is empty"),
        ({"keep_metadata": b"state"}, "keep_metadata is no list of texts"),
        ({"sela_conn_id": "None"}, "sela_conn_id is the text None"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_by_name_when_the_source_is_made(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SelaRequestError, match=message):
        sela_leads(**arguments)


def test_arguments_that_a_template_made_texts_are_read(sela: SelaApi, target: Target) -> None:
    target.load(page_size="50", exclude_fields="['email', 'phone_number']", user="2")
    assert target.rows("SELECT COUNT(email), COUNT(phone_number) FROM leads") == [(0, 0)]
    assert {request.query["user"] for request in sela.requests} == {"2"}


def test_filters_limit_what_lands(sela: SelaApi, target: Target) -> None:
    target.load(external_id="id_in_your_crm_28003")
    assert target.rows("SELECT id FROM leads") == [(28_003,)]


def test_a_load_logs_no_lead(
    serve: Serve, target: Target, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    api = serve([{**sample_lead(1), "email": "planted-5f2b@example.com", "status_reason": "planted-5f2b"}])
    target.load()
    for text in (caplog.text, *capfd.readouterr()):
        assert "planted-5f2b" not in text
        assert api.token not in text


def test_without_dlt_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(SelaSetupError, match=r"pip install 'airflow-provider-sela\[dlt\]'"):
        sela_leads()


def test_the_module_is_ours_and_the_library_is_theirs() -> None:
    """Both are called dlt; and importing ours imports not theirs."""
    program = (
        "import sys, airflow_provider_sela.dlt as ours; assert 'dlt' not in sys.modules;"
        "source = ours.sela_leads(); import dlt;"
        "print(isinstance(source, dlt.sources.DltSource), dlt.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    answer, place = done.stdout.split()[-2:]
    assert answer == "True"
    assert "site-packages" in place


@pytest.mark.airflow
def test_the_dag_of_the_docs_loads_in_a_real_airflow(sela: SelaApi, target: Target, tmp_path: Path) -> None:
    (program,) = (block for block in _blocks() if "DAG(" in block)
    folder = tmp_path / "dags"
    folder.mkdir()
    file = folder / "sela_leads_by_dlt.py"
    file.write_text(program.replace("/tmp/leads.duckdb", str(target.path)) + RUN)  # noqa: S108 (the docs)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
    }
    done = subprocess.run(
        [sys.executable, str(file)], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert "ENDED success PROVEN(id)" in done.stdout, (done.stdout + done.stderr)[-3000:]
    assert target.rows("SELECT COUNT(*) FROM leads") == [(250,)]
    written = [str(lead["email"]) for lead in sela.leads.values() if lead.get("email")]
    assert len(written) > 200
    assert [email for email in written if email in done.stdout + done.stderr] == []


RUN = """
if __name__ == "__main__":
    from airflow.utils.db import initdb

    initdb()
    run = dag.test()
    (instance,) = run.get_task_instances()
    print("ENDED", getattr(run.state, "value", run.state), instance.xcom_pull(task_ids="load_leads"))
"""


def _blocks() -> list[str]:
    """The programs in the docs."""
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "dlt.md").read_text(), re.DOTALL)


def _parsed(text: Any) -> Any:
    return None if text is None else json.loads(text)


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    return datetime.fromisoformat(text.replace("+00", "+00:00")).isoformat(timespec="microseconds")


class ByChange(SelaApi):
    """Shows the lead that changed last first."""

    def select(self, filters: dict[str, str]) -> list[Any]:
        return sorted(super().select(filters), key=lambda lead: lead["modified_time"], reverse=True)


@pytest.fixture
def by_change(monkeypatch: pytest.MonkeyPatch) -> Iterator[ByChange]:
    leads = [sample_lead(28_000 + number) for number in range(600)]
    with ByChange(leads, max_page_size=100) as server:
        for number in range(300, 420, 3):
            server.update(28_000 + number, status="LOST")
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(server.connection))
        yield server


def test_only_what_has_changed_is_read_where_dlts_state_and_the_order_allow(
    by_change: ByChange, target: Target
) -> None:
    target.load(read="changed")
    by_change.update(28_007, status="CLOSED")
    by_change.add()
    asked = len(by_change.requests)
    target.load(read="changed", lookback="PT5M")
    assert len(by_change.requests) - asked <= 6
    target.load(read="changed", exclude_fields=["email"])
    target.load(read="new", exclude_fields=["email"], full_every=None)
    told = target.rows("SELECT scope, why_full FROM _sela_loads ORDER BY started")
    assert told == [("full", NO_LOAD), ("changed", None), ("full", OTHER), ("new", None)]
    assert target.rows("SELECT COUNT(*), COUNT(*) FILTER (status = 'CLOSED' AND id = 28007) FROM leads") == [
        (601, 1)
    ]


def test_the_state_moves_only_when_all_leads_were_taken(by_change: ByChange, target: Target) -> None:
    source = sela_leads(read="changed")
    source.leads.add_limit(1)
    target.pipeline().run(source)
    target.load(read="changed")
    assert target.rows("SELECT why_full FROM _sela_loads ORDER BY started DESC LIMIT 1") == [(NO_LOAD,)]


@pytest.mark.parametrize(("name", "value"), [("read", "some"), ("lookback", "soon"), ("full_every", 1)])
def test_what_a_read_cannot_be_is_refused_when_the_source_is_made(name: str, value: Any) -> None:
    with pytest.raises(SelaRequestError, match=name):
        sela_leads(**{name: value})
