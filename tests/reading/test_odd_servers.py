"""The verified read over real HTTP, against servers that do more to a list than to sort it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_provider_sela.exceptions import SelaIncompleteError, SelaPermissionError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.snapshot import doubts
from airflow_provider_sela.snapshot.verdict import Strength, Verdict
from airflow_provider_sela.testing import Request, Response, drf
from tests.snapshot.drifting import DriftingList, Habits
from tests.snapshot.rows import SECOND
from tests.snapshot.servers import SERVERS
from tests.support.drifting_api import DriftingApi, plain_requests

Read = Callable[..., tuple[Verdict, set[int]]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads all of a server: the verdict, and the leads that existed throughout and are missing."""

    def read(api: DriftingApi, on_unverified: str = "warn") -> tuple[Verdict, set[int]]:
        connection = {**api.connection, "extra": {"page_size": 1000}}
        monkeypatch.setenv("AIRFLOW_CONN_SELA_DEFAULT", json.dumps(connection))
        api.requests.clear()
        with SelaHook().snapshot(on_unverified=on_unverified, concurrency=4) as snapshot:
            return snapshot.verdict, api.drifting.stable - {lead["id"] for lead in snapshot}

    return read


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "name",
    [
        "page limit, next is null",
        "page limit, pages are gone",
        "page limit, pages are empty",
        "count 2 % too high",
        "count of 20 s ago, list shrinks",
        "rows left out of pages, 1 %",
        "rows twice by a JOIN, 5 %",
        "hidden queue, changed leads first",
        "two copies, one lags by 5 s",
        "commits up to 5 s late",
    ],
)
def test_no_lead_is_missing_from_a_proof_whatever_the_server_does(name: str, seed: int, read: Read) -> None:
    with DriftingApi(SERVERS[name](seed)) as api:
        verdict, lost = read(api)
        assert not (lost and verdict.proven)
        if name.startswith("page limit"):
            assert verdict.strength is Strength.UNVERIFIED
            assert "leads more than it shows" in verdict.reason
            assert len(api.requests) <= 2 * plain_requests(api.drifting)
        if name.startswith("rows"):
            assert len(api.requests) <= 6 * plain_requests(api.drifting)


#: Those that no rule inside one read finds out; the others above are read with more seeds.
_ASSUMED = {
    "count 2 % too low", "count of 20 s ago, list grows", "cache with an old Date, warm",
    "cache that tells nothing, warm",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SERVERS.keys() - _ASSUMED))
def test_each_server_of_the_model_is_read_over_http(name: str, read: Read) -> None:
    """Once, and twice what a cache may have kept."""
    with DriftingApi(SERVERS[name](7)) as api:
        for _ in range(2 if name.endswith("warm") else 1):
            api.drifting.begin()
            verdict, lost = read(api)
        assert not (lost and verdict.proven)
        assert verdict.proven or not name.startswith("honest")


@pytest.mark.parametrize("name", ["cache that tells its age, warm", "cache with Expires, warm"])
def test_the_headers_of_a_cache_reach_the_proof(name: str, read: Read) -> None:
    with DriftingApi(SERVERS[name](0)) as api:
        read(api)
        verdict, _ = read(api)
    assert not verdict.proven
    assert doubts.CACHED in verdict.reason


class _AtCdn(DriftingApi):
    """Is given again by a CDN, which sends no Age."""

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        response.headers["X-Cache"] = "HIT"
        return response


def test_the_hit_of_a_cdn_reaches_the_proof(read: Read) -> None:
    with _AtCdn(DriftingList("id", leads=300)) as api:
        verdict, _ = read(api)
    assert not verdict.proven
    assert doubts.CACHED in verdict.reason


def test_one_page_out_of_a_cache_is_not_atomic(read: Read) -> None:
    leads = SERVERS["cache that tells its age, cold"](0)
    del leads._rows[20:]
    with DriftingApi(leads) as api:
        assert str(read(api)[0]) == "ATOMIC"
        leads.now += 5 * SECOND
        verdict, _ = read(api)
    assert not verdict.proven
    assert doubts.CACHED in verdict.reason


class _Refusing(DriftingApi):
    """Refuses pages that lie deep in the list, as search engines do."""

    def __init__(self, leads: DriftingList, status: int) -> None:
        super().__init__(leads)
        self._status = status

    def respond(self, request: Request) -> Response:
        size = min(int(request.query["page_size"]), self.drifting.cap)
        if int(request.query["page"]) * size > 500:
            return drf.refusal(self._status, "Result window is too large.")
        return super().respond(request)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 416, 422])
@pytest.mark.parametrize("order", ["id", "-id", "-modified_time"])
def test_deep_pages_that_are_refused_are_told_as_such_and_cost_less_than_two_walks(
    order: str, status: int, read: Read
) -> None:
    """Whichever status says so, and whether the tail or the next page is refused first."""
    leads = DriftingList(order, leads=2500, habits=Habits(writes=0.2))
    with _Refusing(leads, status) as api:
        verdict, lost = read(api)
        assert len(api.requests) <= 1.6 * plain_requests(leads)
    assert (verdict.strength, bool(lost)) == (Strength.UNVERIFIED, True)
    assert verdict.reason.startswith(doubts.LIMITED)
    assert "leads more than it shows" in verdict.reason
    with _Refusing(leads, status) as api, pytest.raises(SelaIncompleteError, match="pages only so far"):
        read(api, on_unverified="fail")


class _Revoking(DriftingApi):
    """Takes the right to read away from the token while the list is read."""

    def respond(self, request: Request) -> Response:
        return drf.typical(403) if len(self.requests) > 5 else super().respond(request)


@pytest.mark.parametrize("order", ["id", "-id", "-modified_time"])
def test_a_right_that_is_taken_away_during_a_read_is_no_page_limit(order: str, read: Read) -> None:
    leads = DriftingList(order, leads=2500, habits=Habits(writes=0.2))
    with _Revoking(leads) as api:
        with pytest.raises(SelaPermissionError, match="ask Sela to let this token read leads"):
            read(api)
        assert len(api.requests) <= 1.6 * plain_requests(leads)


def test_no_cache_is_asked_to_answer_by_itself(read: Read) -> None:
    with DriftingApi(DriftingList("id", leads=300)) as api:
        read(api)
        assert {request.headers["cache-control"] for request in api.requests} == {"no-cache"}
