"""A read in parts: as complete as in one process, whatever happens to them."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sela.exceptions import SelaTargetUnavailableError, SelaUnavailableError
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.testing import SelaApi, sample_leads
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from tests.operators.parts_run import PartsRun
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST
from tests.storage.landing import manifest
from tests.storage.reading import sha256
from tests.support.databases import DuckDB
from tests.support.drifting_api import DriftingApi
from tests.support.s3 import S3Store

SALT = "a salt of many characters"
PLANTED = ("lead28003@", "+18045550", "Example Street")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a server the connection ``sela_default``."""

    def connect(server: SelaApi, **extra: object) -> None:
        connection = {**server.connection, "extra": {"page_size": 1000, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def sela(connect: Callable[..., None]) -> Iterator[SelaApi]:
    """1,000 sample leads, 50 at a time: 20 windows and some."""
    with SelaApi(leads=1000, page_size=50, max_page_size=50) as server:
        connect(server)
        yield server


@pytest.fixture
def run(tmp_path: Path) -> PartsRun:
    return PartsRun(tmp_path)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was logged: Airflow 3 logs by structlog to standard output, Airflow 2 by the standard library."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("order", HONEST)
def test_no_lead_is_lost_while_the_list_is_written_to(
    order: str, connect: Callable[..., None], run: PartsRun
) -> None:
    drifting = DriftingList(order, leads=2000, habits=Habits(writes=2), seed=1)
    with DriftingApi(drifting) as api:
        connect(api)
        result = run.all()
    assert result["verdict"].startswith("PROVEN(")
    assert drifting.stable <= run.landed.keys()
    assert result["requests"] == len(api.requests)


def test_the_outcome_is_that_of_one_task(sela: SelaApi, run: PartsRun) -> None:
    alone = run.land(None)
    leads = run.landed
    together = run.all()
    assert run.landed == leads == {lead["id"]: lead for lead in sample_leads(1000)}
    assert {**together, "seconds": 0} == {**alone, "seconds": 0}


def test_most_requests_are_made_by_the_tasks_that_read(sela: SelaApi, run: PartsRun) -> None:
    parts = run.plan()
    planned = len(sela.requests)
    read = [run.read(part) for part in parts]
    done = len(sela.requests)
    run.land(read)
    assert [part["part"] for part in parts] == [0, 1, 2, 3]
    assert planned <= 2
    assert len(sela.requests) - done <= 2
    sizes = [part["requests"] for part in read]
    assert max(sizes) - min(sizes) <= 1
    assert sum(part["leads"] for part in read) >= 900


def test_a_page_size_given_to_the_plan_bounds_the_requests_of_every_task(
    sela: SelaApi, run: PartsRun
) -> None:
    """Windows overlap, and so are of many sizes."""
    read = [run.read(part) for part in run.plan(page_size="40")]
    assert run.land(read)["read"] == 1000
    assert max(int(request.query["page_size"]) for request in sela.requests) == 40


def test_xcoms_say_where_parts_are_and_nothing_of_a_lead(sela: SelaApi, run: PartsRun) -> None:
    run.all()
    for xcom in run.xcoms:
        assert not [planted for planted in ("@example.com", *PLANTED, "28003") if planted in xcom]
    assert len(run.xcoms[0]) < 400 * 4


def test_parts_are_removed_once_the_leads_have_landed(sela: SelaApi, run: PartsRun) -> None:
    read = [run.read(part) for part in run.plan()]
    assert [path.name for path in run.left] == [
        *(f"part-000{number}.jsonl.gz" for number in range(4)), "plan.jsonl.gz",
    ]  # fmt: skip
    run.land(read)
    assert list(run.base.iterdir()) == []


def test_parts_that_cannot_be_removed_are_told_and_the_leads_have_landed(
    sela: SelaApi, run: PartsRun, told: Callable[[], str]
) -> None:
    read = [run.read(part) for part in run.plan()]
    (run.left[0].parent / "in-the-way.jsonl.gz").mkdir()
    assert run.land(read)["read"] == len(run.landed) == 1000
    assert "the parts could not be removed: " in told()


def test_parts_stay_for_the_retry_of_a_task_that_failed(sela: SelaApi, run: PartsRun) -> None:
    read = [run.read(part) for part in run.plan()]
    run.target.mkdir()
    with pytest.raises(AirflowFailException, match="a folder has this name"):
        run.land(read)
    assert len(run.left) == 5
    run.target.rmdir()
    asked = len(sela.requests)
    run.land(read)
    assert len(sela.requests) - asked <= 2


def test_a_part_that_is_read_again_replaces_the_first(sela: SelaApi, run: PartsRun) -> None:
    parts = run.plan()
    for part in parts:
        run.read(part)
    sela.update(28_007, status="LOST")
    read = [run.read(part, attempt=2) for part in parts]
    assert len(run.left) == 5
    run.land(read)
    assert run.landed[28_007]["status"] == "LOST"


def _removed(path: Path) -> None:
    path.unlink()


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _altered(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).replace(b"OPEN", b"LOST")
    path.write_bytes(gzip.compress(lines))


def _of_another_part(path: Path) -> None:
    shutil.copy(path.with_name("part-0003.jsonl.gz"), path)


@pytest.mark.parametrize("damage", [_removed, _cut_short, _emptied, _altered, _of_another_part])
def test_the_windows_of_a_lost_part_are_read_again(
    damage: Callable[[Path], None], sela: SelaApi, run: PartsRun, told: Callable[[], str]
) -> None:
    read = [run.read(part) for part in run.plan()]
    damage(run.left[1])
    asked = len(sela.requests)
    result = run.land(read)
    assert read[1]["requests"] <= len(sela.requests) - asked <= read[1]["requests"] + 2
    assert result["verdict"].startswith("PROVEN(")
    assert run.landed == {lead["id"]: lead for lead in sample_leads(1000)}
    assert "part 1 " in told()


def test_a_part_that_nobody_read_is_read_by_the_last_task(sela: SelaApi, run: PartsRun) -> None:
    """As with trigger_rule="all_done", where one of the mapped tasks has failed for good."""
    read = [run.read(part) for part in run.plan()[1:]]
    assert run.land(read)["read"] == 1000


def test_a_plan_that_is_lost_costs_a_whole_read_and_no_lead(
    sela: SelaApi, run: PartsRun, told: Callable[[], str]
) -> None:
    read = [run.read(part) for part in run.plan()]
    run.land(read)
    run.target.unlink()
    # The last task alone is cleared, after its success.
    assert run.land(read)["verdict"].startswith("PROVEN(")
    assert len(run.landed) == 1000
    assert "reads the whole list alone" in told()


def test_a_plan_of_another_version_costs_a_whole_read_and_no_lead(sela: SelaApi, run: PartsRun) -> None:
    read = [run.read(part) for part in run.plan()]
    plan = run.left[-1]
    header, *answers = gzip.decompress(plan.read_bytes()).splitlines(keepends=True)
    for lines in (
        [b'{"another": "form"}\n'],
        [header, b'{"another": "form"}\n'],
        [header, *answers[::-1] * 2],
    ):
        plan.write_bytes(gzip.compress(b"".join(lines)))
        digest = sha256(plan.read_bytes())
        found = [{**part, "plan": digest} for part in read]
        shutil.copytree(run.base, kept := run.base.with_name("kept"))
        assert run.land(found)["verdict"].startswith("PROVEN(")
        assert len(run.landed) == 1000
        shutil.rmtree(run.base)
        kept.rename(run.base)


def test_a_plan_of_another_version_is_told_to_the_tasks_that_read(sela: SelaApi, run: PartsRun) -> None:
    part = run.plan()[0]
    run.left[0].write_bytes(gzip.compress(b'{"another": "form"}\n'))
    other = {**part, "plan": sha256(run.left[0].read_bytes())}
    with pytest.raises(
        AirflowFailException, match=r"another version of this package.*clear the task that plans"
    ):
        run.read(other)


def test_a_new_plan_removes_the_parts_of_the_old_and_none_of_another_run(
    sela: SelaApi, run: PartsRun
) -> None:
    old = [run.read(part) for part in run.plan()]
    run.run_id = "manual__2"
    other = [run.read(part) for part in run.plan()]
    run.run_id = "manual__1"
    new = run.plan(attempt=2)
    folders = {path.parent.name for path in run.left}
    assert folders == {Path(part["folder"]).name for part in (new[0], other[0])}
    assert old[0]["folder"] not in (new[0]["folder"], other[0]["folder"])


def test_parts_of_two_plans_are_not_mixed(sela: SelaApi, run: PartsRun) -> None:
    """As when the task that plans is cleared alone, and then one of those that read."""
    old = [run.read(part) for part in run.plan()]
    new = [run.read(part) for part in run.plan(attempt=2)]
    sela.update(28_007, status="LOST")
    run.land([old[0], *new[1:]])
    assert run.landed.keys() == set(range(28_000, 29_000))


def test_a_task_that_reads_late_says_that_its_plan_is_gone(sela: SelaApi, run: PartsRun) -> None:
    part = run.plan()[0]
    run.plan(attempt=2)
    asked = len(sela.requests)
    with pytest.raises(AirflowFailException, match=r"plan in .* is not there: check that all workers share"):
        run.read(part)
    assert len(sela.requests) == asked


@pytest.mark.parametrize("leads", [0, 1, 49, 50, 51, 60])
def test_a_short_list_is_read_by_the_last_task_alone(
    leads: int, connect: Callable[..., None], run: PartsRun
) -> None:
    """There is still one part, because Airflow skips what is mapped over nothing, and all that follows."""
    with SelaApi(leads=leads, page_size=50, max_page_size=50) as api:
        connect(api)
        parts = run.plan()
        assert len(parts) == 1
        assert run.left == []
        result = run.land([run.read(part) for part in parts])
    assert (result["read"], result["verdict"][:6]) == (leads, "ATOMIC" if leads <= 50 else "PROVEN")


def test_a_list_without_an_order_is_read_until_nothing_new_appears(
    connect: Callable[..., None], run: PartsRun
) -> None:
    drifting = DriftingList("id", leads=1000, cap=50, honours_page_size=False)
    with DriftingApi(drifting) as api:
        connect(api, page_size=30)
        result = run.all()
    assert result["verdict"].startswith("CONVERGED(")
    assert len(run.landed) == 1000


def test_a_lead_that_jumps_to_a_page_that_was_read_is_not_missing(
    connect: Callable[..., None], run: PartsRun
) -> None:
    """All leads were stamped alike, so the list looks sorted by id. The part with its front is read first."""
    drifting = DriftingList("-modified_time,id", leads=1000, cap=50, habits=Habits(stamped=True))
    with DriftingApi(drifting) as api:
        connect(api)
        *rest, front = run.plan()
        read = [run.read(front)]
        lead = drifting._rows.pop(900)
        drifting._rows.insert(0, lead._replace(modified=drifting.now))
        result = run.land([*read, *(run.read(part) for part in rest)])
    assert lead.id in run.landed
    assert result["verdict"] == "PROVEN(-modified_time,id)"


def test_a_retry_long_after_the_parts_were_read_is_still_a_proof(
    connect: Callable[..., None], run: PartsRun
) -> None:
    for order in HONEST:
        drifting = DriftingList(order, leads=1000, cap=50, habits=Habits(writes=0.2), seed=2)
        with DriftingApi(drifting) as api:
            connect(api)
            read = [run.read(part) for part in run.plan()]
            for _ in range(150):
                drifting.now += 60_000_000
                drifting.write()
            result = run.land(read, on_unverified="warn")
        assert result["verdict"].startswith("PROVEN("), order
        assert drifting.stable <= run.landed.keys()


def test_the_read_began_when_it_was_planned(sela: SelaApi, run: PartsRun) -> None:
    before = datetime.now(UTC)
    parts = run.plan()
    planned = datetime.now(UTC)
    run.land([run.read(part) for part in parts])
    assert before <= datetime.fromisoformat(manifest(run.target)["started"]) <= planned


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"external_id": "id_in_your_crm_28003"}, "filter"),
        ({"exclude_fields": ["email"]}, "privacy rule"),
        ({"drop_metadata": ["city"]}, "privacy rule"),
        ({"sela_conn_id": "sela_other"}, "connection"),
    ],
)
def test_what_was_planned_otherwise_is_refused_before_any_request(
    arguments: dict[str, Any], named: str, sela: SelaApi, run: PartsRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would land leads that were not asked for, or what must not be written."""
    other = {**sela.connection, "password": "another-account"}
    monkeypatch.setenv("AIRFLOW_CONN_SELA_OTHER", json.dumps(other))
    parts = run.plan()
    read = [run.read(part) for part in parts]
    asked = len(sela.requests)
    with pytest.raises(AirflowFailException, match=f"planned with another {named}"):
        run.read(parts[0], **arguments)
    with pytest.raises(AirflowFailException, match=f"planned with another {named}"):
        run.land(read, **arguments)
    assert len(sela.requests) == asked


def test_another_salt_is_another_rule(sela: SelaApi, run: PartsRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.arguments = {"hash_fields": ["email"], "salt_conn_id": "salt"}
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
    parts = run.plan()
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT + "!"}))
    with pytest.raises(AirflowFailException, match="another privacy rule"):
        run.read(parts[0])


def test_the_order_in_which_rules_are_written_is_no_difference(sela: SelaApi, run: PartsRun) -> None:
    parts = run.plan(exclude_fields=["email", "external_id"])
    run.read(parts[0], exclude_fields=("external_id", "email"))


def test_what_is_hidden_reaches_neither_the_shared_folder_nor_the_target(
    sela: SelaApi, run: PartsRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
    run.arguments = {
        "exclude_fields": ["email", "modified_time"],
        "hash_fields": ["phone_number"],
        "salt_conn_id": "salt",
        "keep_metadata": ["city"],
    }
    read = [run.read(part) for part in run.plan()]
    shared = b"".join(gzip.decompress(path.read_bytes()) for path in run.left)
    assert run.land(read)["verdict"].startswith("PROVEN(")
    together = run.target.read_bytes()
    # A lead is text in the JSON of its reply.
    assert b'\\"city\\"' in shared
    for hidden in (b"@example.com", b"804555", b"Example Street", SALT.encode(), sela.token.encode()):
        assert hidden not in shared + together
    run.land(None)
    assert run.target.read_bytes() == together


def test_filters_are_asked_by_every_task_and_written_nowhere(sela: SelaApi, run: PartsRun) -> None:
    run.arguments = {"email": "no.such.person@example.com"}
    sela.select = lambda filters: list(sela.leads.values())  # type: ignore[method-assign]
    read = [run.read(part) for part in run.plan()]
    shared = b"".join(gzip.decompress(path.read_bytes()) for path in run.left)
    run.land(read)
    assert {request.query["email"] for request in sela.requests} == {"no.such.person@example.com"}
    assert b"no.such.person" not in shared + "".join(run.xcoms).encode()


def test_a_storage_that_fails_is_left_to_a_retry_and_not_taken_for_a_loss(
    sela: SelaApi, run: PartsRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = [run.read(part) for part in run.plan()]
    part = run.left[1]
    part.unlink()
    part.symlink_to(part)
    asked = len(sela.requests)
    with pytest.raises(SelaTargetUnavailableError, match="cannot be read"):
        run.land(read)
    assert len(sela.requests) - asked == 0
    assert len(list(run.left[0].parent.iterdir())) == 5


@pytest.mark.parametrize("parts", [[], "", {}, "s3://bucket/parts", [{"part": 1}], ["x"], [None]])
def test_parts_that_are_none_are_refused_before_any_request(parts: Any, sela: SelaApi, run: PartsRun) -> None:
    with pytest.raises(AirflowFailException, match="SelaReadPartOperator"):
        run.land(parts)
    assert sela.requests == []


@pytest.mark.parametrize("number", [0, -1, 1025, "many", ""])
def test_a_number_of_parts_that_airflow_cannot_map_is_refused(
    number: Any, sela: SelaApi, run: PartsRun
) -> None:
    with pytest.raises(AirflowFailException, match="max_parts is"):
        run.plan(max_parts=number)
    assert sela.requests == []


def test_a_folder_that_cannot_be_written_is_told(sela: SelaApi, run: PartsRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AirflowFailException, match="a part of the path is a file, not a folder"):
        run.plan(path=str(tmp_path / "file" / "parts"))


def test_a_part_is_read_with_the_connections_retries_and_fails_as_a_whole(
    sela: SelaApi, run: PartsRun, connect: Callable[..., None]
) -> None:
    parts = run.plan()
    connect(sela, max_attempts=2, retry_budget=1)
    sela.answer_next(503, times=50)
    with pytest.raises(SelaUnavailableError, match="503"):
        run.read(parts[0])
    assert [path.name for path in run.left] == ["plan.jsonl.gz"]


def test_everything_that_may_vary_per_run_is_templated() -> None:
    assert {"path", "max_parts", "email", "salt_conn_id"} <= set(SelaPlanPartsOperator.template_fields)
    assert {"part", "email", "salt_conn_id"} <= set(SelaReadPartOperator.template_fields)
    assert "parts" in SelaLeadsToSqlOperator.template_fields


def test_a_table_gets_the_same_rows_and_deletes_are_marked(
    sela: SelaApi, run: PartsRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDB(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse.connection))

    def land(run_id: str) -> dict[str, Any]:
        read = [run.read(part) for part in run.plan()]
        arguments: Any = {"conn_id": "warehouse", "table": "leads", "deletes": "mark", "parts": read}
        context: Any = {"run_id": run_id}
        result: dict[str, Any] = SelaLeadsToSqlOperator(task_id="land", **arguments).execute(context)
        return result

    assert land("first")["new"] == 1000
    del sela.leads[28_007]
    second = land("second")
    assert (second["deleted"], second["unchanged"]) == (1, 999)
    assert [row["id"] for row in warehouse.table() if row["_sela_deleted_at"]] == [28_007]
    (_, books) = warehouse.table("_sela_loads", "started")
    assert (books["requests"], books["verdict"]) == (second["requests"], "PROVEN(id)")


@pytest.mark.server
def test_parts_go_through_object_storage_with_a_connection_in_the_path(
    sela: SelaApi, run: PartsRun, s3: S3Store
) -> None:
    run.url = f"s3://{s3.conn_id}@{s3.bucket}/sela_parts"
    for attempt in (1, 2):
        read = [run.read(part) for part in run.plan(attempt=attempt)]
        names = s3.keys()
        assert [name.rpartition("/")[2] for name in names] == [
            *(f"part-000{number}.jsonl.gz" for number in range(4)), "plan.jsonl.gz",
        ]  # fmt: skip
    asked = len(sela.requests)
    run.land(read)
    assert len(sela.requests) - asked <= 2
    assert s3.keys() == []


def test_fields_that_were_renamed_are_told_by_the_task_that_lands(sela: SelaApi, run: PartsRun) -> None:
    for lead in sela.leads.values():
        lead["reengagement_count"] = lead.pop("reengagements_count")
    read = [run.read(part) for part in run.plan()]
    result = run.land(read, path=str(run.target.with_suffix(".csv")))
    assert (result["missing_fields"], result["unknown_fields"]) == (
        ["reengagements_count"], ["reengagement_count"],
    )  # fmt: skip
