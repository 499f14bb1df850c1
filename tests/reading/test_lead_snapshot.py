"""The verified read over real HTTP, with threads, against lists that drift, lie and fail."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pendulum
import pytest

from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaIncompleteError,
    SelaRequestError,
    SelaUnavailableError,
)
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.testing import Request, Response, SelaApi, drf, sample_lead
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import HONEST, LIARS, SECOND
from tests.support.drifting_api import DriftingApi, plain_requests


@pytest.fixture
def hook_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SelaHook]:
    """A hook on a server, with extras of the connection."""

    def make(server: SelaApi, **extra: object) -> SelaHook:
        connection = {**server.connection, "extra": {"page_size": 1000, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        return SelaHook()

    return make


@pytest.mark.parametrize("order", HONEST)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_no_lead_is_lost_while_the_list_is_written_to(
    order: str, concurrency: int, hook_of: Callable[..., SelaHook]
) -> None:
    drifting = DriftingList(order, leads=2000, habits=Habits(writes=5), seed=concurrency)
    with DriftingApi(drifting) as api, hook_of(api).snapshot(concurrency=concurrency) as snapshot:
        assert str(snapshot.verdict).startswith("PROVEN(")
        assert drifting.stable <= {lead["id"] for lead in snapshot}


HARD = {
    "times that are late": (Habits(writes=4, late=200_000), False),
    "times in the future": (Habits(writes=4, future=0.05), False),
    "ties": (Habits(writes=4, grain=60 * SECOND), False),
    "ties in another order each time": (Habits(writes=1, grain=60 * SECOND), True),
    "all writes between count and rows": (Habits(writes=4, between=1.0), False),
    "nothing but deletes": (Habits(writes=4, update=0, silent=0, insert=0), False),
    "nothing but silent updates": (Habits(writes=4, update=0, insert=0, delete=0), False),
}


@pytest.mark.parametrize("order", ["-id", "created_time", "modified_time", "-modified_time"])
@pytest.mark.parametrize("kind", HARD)
def test_whatever_is_called_proven_is_complete(
    kind: str, order: str, hook_of: Callable[..., SelaHook]
) -> None:
    habits, shuffled = HARD[kind]
    drifting = DriftingList(order, leads=700, habits=habits, shuffled_ties=shuffled, seed=11)
    with DriftingApi(drifting) as api, hook_of(api).snapshot(on_unverified="warn") as snapshot:
        lost = drifting.stable - {lead["id"] for lead in snapshot}
    assert not (snapshot.verdict.proven and lost)
    assert snapshot.verdict.proven or snapshot.verdict.reason


def test_all_threads_keep_one_budget_of_requests_per_second(hook_of: Callable[..., SelaHook]) -> None:
    with SelaApi(leads=700, max_page_size=50) as api:
        begun = time.monotonic()
        with hook_of(api, requests_per_second=25).snapshot(concurrency=8) as snapshot:
            assert time.monotonic() - begun >= (snapshot.stats.requests - 1) / 25


@pytest.mark.parametrize("order", LIARS[:1] + LIARS[2:])
def test_a_list_that_lies_about_its_order_is_not_called_proven(
    order: str, hook_of: Callable[..., SelaHook]
) -> None:
    drifting = DriftingList(order, leads=1000, habits=Habits(writes=2), seed=3)
    with (
        DriftingApi(drifting) as api,
        hook_of(api).snapshot(on_unverified="warn", concurrency=4) as snapshot,
    ):
        lost = drifting.stable - {lead["id"] for lead in snapshot}
        assert not (lost and snapshot.verdict.proven)
        assert snapshot.verdict.proven or snapshot.verdict.reason


def test_a_server_that_ignores_page_size_is_read_until_nothing_new_appears(
    hook_of: Callable[..., SelaHook],
) -> None:
    drifting = DriftingList("id", leads=1000, honours_page_size=False)
    with DriftingApi(drifting) as api, hook_of(api, page_size=30).snapshot() as snapshot:
        assert str(snapshot.verdict).startswith("CONVERGED(")
        assert len(snapshot) == 1000
        assert "page_size" in snapshot.verdict.reason


def test_a_quiet_list_costs_at_most_a_quarter_more_requests_than_a_plain_walk(
    hook_of: Callable[..., SelaHook],
) -> None:
    drifting = DriftingList("id", leads=5000)
    with DriftingApi(drifting) as api, hook_of(api).snapshot() as snapshot:
        assert snapshot.stats.requests <= 1.25 * plain_requests(drifting)
        assert snapshot.stats.requests == len(api.requests)


def test_a_list_that_fits_in_one_page_is_atomic(api: SelaApi, hook: SelaHook) -> None:
    with hook.snapshot(external_id="id_in_your_crm_28000") as snapshot:
        assert str(snapshot.verdict) == "ATOMIC"
        assert [lead["id"] for lead in snapshot] == [28000]


def test_the_beginning_of_a_read_is_a_moment_of_pendulums_in_utc(hook: SelaHook) -> None:
    before = pendulum.now("UTC")
    with hook.snapshot() as snapshot:
        started = snapshot.stats.started
    assert isinstance(started, pendulum.DateTime)
    assert started.utcoffset() == timedelta()
    assert abs(started - before) < timedelta(seconds=60)


class Shallow(SelaApi):
    """Counts every lead, and gives nobody a page after the first."""

    def respond(self, request: Request) -> Response:
        return super().respond(request) if request.query["page"] == "1" else drf.typical(404)


class Unlinked(SelaApi):
    """Counts every lead, and names no next page."""

    def paginate(self, *args: Any) -> drf.Page:
        return replace(super().paginate(*args), next=None)


@pytest.mark.parametrize("server", [Shallow, Unlinked])
def test_leads_that_are_counted_and_never_shown_are_missed(
    server: type[SelaApi], hook_of: Callable[..., SelaHook]
) -> None:
    """Neither is one answer the whole list, nor has a read converged that brings nothing new."""
    with (
        server(leads=60, max_page_size=20) as api,
        pytest.raises(SelaIncompleteError, match="the server counts 40 leads more than it shows"),
        hook_of(api).snapshot(),
    ):
        pass


def test_an_empty_list_is_atomic_and_empty(hook_of: Callable[..., SelaHook]) -> None:
    with SelaApi(leads=0) as api, hook_of(api).snapshot() as snapshot:
        assert (str(snapshot.verdict), list(snapshot)) == ("ATOMIC", [])


def test_the_newest_version_of_a_lead_is_kept(hook_of: Callable[..., SelaHook]) -> None:
    drifting = DriftingList("-modified_time", leads=600, habits=Habits(writes=8, delete=0), seed=1)
    with DriftingApi(drifting) as api, hook_of(api).snapshot() as snapshot:
        newest: dict[int, str] = {}
        for lead in snapshot:
            assert lead["id"] not in newest
            newest[lead["id"]] = lead["modified_time"]
    assert snapshot.stats.leads == len(newest)


def test_each_thread_keeps_one_connection_for_all_its_pages(hook_of: Callable[..., SelaHook]) -> None:
    with SelaApi(leads=3000, max_page_size=50) as api, hook_of(api).snapshot(concurrency=4):
        assert len(api.requests) > 60
        assert api.connections <= 4


def test_requests_run_at_the_same_time_but_never_more_than_allowed(
    hook_of: Callable[..., SelaHook],
) -> None:
    class Counting(SelaApi):
        now = most = 0

        def respond(self, request: Request) -> Response:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.02)
            try:
                return super().respond(request)
            finally:
                with self.lock:
                    self.now -= 1

    with Counting(leads=2000, max_page_size=50) as api, hook_of(api).snapshot(concurrency=3):
        assert api.most == 3


def test_retry_after_pauses_every_thread(hook_of: Callable[..., SelaHook]) -> None:
    moments: list[float] = []

    class Timed(SelaApi):
        def respond(self, request: Request) -> Response:
            moments.append(time.monotonic())
            return super().respond(request)

    with Timed(leads=3000, max_page_size=50, latency=0.01) as api:
        hook = hook_of(api)
        threading.Timer(0.1, api.answer_next, [429], {"headers": {"Retry-After": "1"}}).start()
        with hook.snapshot(concurrency=8) as snapshot:
            assert snapshot.stats.retries == 1
    longest = max(later - earlier for earlier, later in pairwise(moments))
    assert longest > 0.9


def test_results_without_an_id_are_kept_and_counted_but_are_no_leads(
    hook_of: Callable[..., SelaHook],
) -> None:
    class WithRejects(SelaApi):
        def select(self, filters: dict[str, str]) -> Sequence[Any]:
            rows = list(super().select(filters))
            return [*rows[:70], {"email": "nobody@example.com"}, *rows[70:]]

    with WithRejects(leads=250, max_page_size=50) as api, hook_of(api).snapshot() as snapshot:
        assert (len(snapshot), snapshot.stats.rejected) == (250, 1)
        assert [json.loads(line) for line in snapshot.spool.reject_lines()] == [
            {"email": "nobody@example.com"}
        ]


def test_a_failure_ends_the_read_at_once_and_leaves_no_thread(hook_of: Callable[..., SelaHook]) -> None:
    with SelaApi(leads=3000, max_page_size=50, latency=0.02) as api:
        hook = hook_of(api)
        threading.Timer(0.2, api.answer_next, [401], {"times": 100}).start()
        with pytest.raises(SelaAuthenticationError), hook.snapshot(concurrency=8):
            pytest.fail("the read did not fail")
    _no_thread_left()


@pytest.mark.parametrize("frozen", [False, True], ids=["as it comes", "frozen by somebody"])
def test_the_garbage_collector_is_left_as_it_was_found(
    hook_of: Callable[..., SelaHook], api: SelaApi, request: pytest.FixtureRequest, *, frozen: bool
) -> None:
    hook = hook_of(api, retry_budget=0.1)
    if frozen:
        gc.freeze()
        request.addfinalizer(gc.unfreeze)
    with hook.snapshot():
        assert (gc.get_freeze_count() > 0) is frozen
    api.answer_next(503, times=1000)
    with pytest.raises(SelaUnavailableError), hook.snapshot():
        pytest.fail("the read did not fail")
    assert (gc.get_freeze_count() > 0) is frozen


def test_an_outage_that_outlasts_the_retry_budget_is_told(hook_of: Callable[..., SelaHook]) -> None:
    with SelaApi(leads=3000, max_page_size=50) as api:
        hook = hook_of(api, retry_budget=0.5)
        api.answer_next(503, times=1000)
        with pytest.raises(SelaUnavailableError, match="503"), hook.snapshot():
            pytest.fail("the read did not fail")
    _no_thread_left()


def test_a_read_that_is_interrupted_ends_in_a_moment(hook_of: Callable[..., SelaHook]) -> None:
    """As when a task is killed or runs into its execution_timeout: the waiting request is not waited for."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with SelaApi(leads=300, latency=5) as api:
        hook = hook_of(api)
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt), hook.snapshot():
            pytest.fail("the read did not end")
        assert time.monotonic() - begun < 2


def test_completeness_that_cannot_be_established_fails_and_says_why_or_warns(
    hook_of: Callable[..., SelaHook],
) -> None:
    habits = Habits(writes=40, insert=0, delete=0)

    def list_without_order() -> DriftingList:
        return DriftingList("heap, updates anywhere", leads=3000, habits=habits, seed=5)

    with DriftingApi(list_without_order()) as api:
        hook = hook_of(api)
        with hook.snapshot(on_unverified="warn") as snapshot:
            pass
        if str(snapshot.verdict) != "UNVERIFIED":
            pytest.fail(f"the list was meant to be beyond verification, but it is {snapshot.verdict}")
        assert snapshot.verdict.reason
    with (
        DriftingApi(list_without_order()) as api,
        pytest.raises(SelaIncompleteError, match="on_unverified"),
        hook_of(api).snapshot(),
    ):
        pytest.fail("the read did not fail")


@pytest.mark.parametrize("name", ["page_size", "concurrency"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_number_that_no_read_can_have_is_refused_before_a_request(
    name: str, value: int, hook: SelaHook, api: SelaApi
) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(SelaRequestError, match=f"^{name} is {value}: it starts at 1"):
        hook.snapshot(**given)
    assert not api.requests


def test_on_unverified_takes_two_words_only(hook: SelaHook) -> None:
    with pytest.raises(SelaRequestError, match="fail and warn"):
        hook.snapshot(on_unverified="ignore")


def test_what_is_encoded_is_what_the_snapshot_holds(hook_of: Callable[..., SelaHook]) -> None:
    from airflow_provider_sela.hooks.sela import open_snapshot

    def encode(lead: Any, tell: Any) -> bytes:
        tell(("email", "status"), ())
        return b"[%d]" % lead.id

    with (
        SelaApi(leads=[sample_lead(28000)]) as api,
        open_snapshot(hook_of(api), {}, encoder=encode) as snapshot,
    ):
        rows: list[Any] = list(snapshot)
        assert rows == [[28000]]
        assert snapshot.stats.nulled == 2


def _no_thread_left() -> None:
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("sela-fetch-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
