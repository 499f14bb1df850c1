"""The asynchronous driver, against servers that misbehave on real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.secrets import BaseSecretsBackend

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.api.pages import Page
from airflow_provider_sela.exceptions import (
    SelaAuthenticationError,
    SelaError,
    SelaRateLimitError,
    SelaResponseError,
    SelaSetupError,
    SelaUnavailableError,
)
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.http import async_transport, exchange
from airflow_provider_sela.http.async_transport import shared_transport
from airflow_provider_sela.settings import Settings
from airflow_provider_sela.testing import SelaApi
from tests.support import faults
from tests.support.faults import Act, FaultServer
from tests.support.loop_watch import LoopWatch
from tests.support.tls import Authority
from tests.triggers.waits import until

LOG = logging.getLogger(__name__)
SECRET = "someone@example.com"


def settings_of(server: FaultServer, **extra: Any) -> Settings:
    """Settings of the connection to a server, checked as a hook checks them."""
    from airflow.providers.common.compat.sdk import Connection

    fields = server.connection(**{"timeout": 5, "max_attempts": 1, **extra})
    return Settings.from_connection(
        Connection(
            conn_id="sela_default",
            conn_type="sela",
            host=fields["host"],
            password=fields["password"],
            extra=json.dumps(fields["extra"]),
        )
    )


async def ask(server: FaultServer, **extra: Any) -> Page[Lead]:
    """One read of page 1."""
    async with shared_transport(settings_of(server, **extra)) as transport:
        return await transport.read({"email": SECRET}, 1, 10, LOG)


FAULTS: list[tuple[Act, type[SelaError], str]] = [
    (faults.hang_up, SelaUnavailableError, "dropped"),
    (faults.reset, SelaUnavailableError, "dropped"),
    (faults.truncated, SelaUnavailableError, "cut off"),
    (faults.truncated_unannounced, SelaResponseError, "not valid JSON"),
    (faults.truncated_chunked, SelaUnavailableError, "cut off"),
    (faults.not_gzip, SelaUnavailableError, "cut off"),
    (faults.truncated_gzip, SelaResponseError, "not valid JSON"),
    (faults.reset_in_body, SelaUnavailableError, "cut off"),
    (faults.silent, SelaUnavailableError, "did not answer"),
    (faults.silent_in_body, SelaUnavailableError, "did not answer"),
    (faults.reply(401, b'{"detail":"Invalid token."}'), SelaAuthenticationError, "Password"),
    (faults.reply(404), SelaSetupError, "Host"),
    (faults.reply(302, b"", Location="http://elsewhere.example/x?q=1"), SelaSetupError, "redirects"),
    (faults.reply(200, b"<html>"), SelaResponseError, "web page"),
    (faults.reply(503), SelaUnavailableError, "503"),
]


@pytest.mark.parametrize(
    ("act", "kind", "words"), FAULTS, ids=[f"{n}-{kind.__name__}" for n, (_, kind, _) in enumerate(FAULTS)]
)
async def test_each_fault_has_its_error_that_names_the_connection_and_hides_query_and_token(
    act: Act, kind: type[SelaError], words: str
) -> None:
    with FaultServer(act) as server:
        with pytest.raises(kind, match=words) as caught:
            await ask(server, timeout=0.3)
        error: BaseException | None = caught.value
        assert "sela_default" in str(error)
        while error is not None:
            assert "fault-token" not in repr(error)
            assert SECRET not in str(error)
            assert "email=" not in str(error)
            error = error.__cause__ or error.__context__
        assert len(server.requests) == 1


async def test_no_failure_leads_back_to_the_request_and_its_filters() -> None:
    with FaultServer(faults.hang_up) as server, pytest.raises(SelaUnavailableError) as caught:
        await ask(server)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_a_server_that_drips_bytes_is_given_up() -> None:
    with FaultServer(faults.drip(0.02)) as server:
        started = time.monotonic()
        with pytest.raises(SelaUnavailableError, match="did not answer"):
            await ask(server, timeout=0.1)
        assert time.monotonic() - started < 5


async def test_a_redirect_that_repeats_the_query_does_not_bring_it_into_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    location = f"http://elsewhere.example/api/leads/?email={SECRET}"
    with FaultServer(faults.reply(302, b"", Location=location)) as server, pytest.raises(SelaSetupError):
        await ask(server)
    assert "receive_response_headers.complete" in caplog.text
    assert SECRET not in caplog.text


async def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1 << 16)
    with (
        FaultServer(faults.reply(200, b" " * (1 << 17))) as server,
        pytest.raises(SelaResponseError, match="larger than"),
    ):
        await ask(server)


async def test_a_refused_connection_is_a_failure_of_the_moment() -> None:
    with FaultServer(faults.hang_up) as server:
        settings = settings_of(server)
    async with shared_transport(settings) as transport:
        with pytest.raises(SelaUnavailableError, match="failed or was dropped"):
            await transport.read({}, 1, 10, LOG)


async def test_a_certificate_of_an_unknown_authority_is_a_matter_of_set_up_and_its_bundle_mends_it(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    with FaultServer(faults.reply(), tls=authority.server()) as server:
        with pytest.raises(SelaSetupError, match="not trusted"):
            await ask(server)
        assert (await ask(server, verify=str(authority.bundle))).count == 0
        with pytest.raises(SelaSetupError, match="CA bundle"):
            await ask(server, verify=str(tmp_path / "missing.pem"))


async def test_retry_after_holds_back_everybody_on_the_connection() -> None:
    with FaultServer(faults.reply(429, b"{}", Retry_After="1"), faults.reply()) as server:
        async with shared_transport(settings_of(server, max_attempts=3)) as transport:
            first = asyncio.create_task(transport.read({}, 1, 10, LOG))
            await until(lambda: server.requests)
            await asyncio.sleep(0.1)
            await asyncio.gather(first, transport.read({}, 1, 10, LOG))
        refused, *later = [request.at for request in server.requests]
        assert len(later) == 2
        assert all(0.95 < moment - refused < 2 for moment in later)


async def test_a_rate_limit_that_outlasts_the_attempts_says_how_long_to_wait() -> None:
    with (
        FaultServer(faults.reply(429, b"{}", Retry_After="7")) as server,
        pytest.raises(SelaRateLimitError) as caught,
    ):
        await ask(server)
    assert caught.value.retry_after == 7


async def test_all_readers_of_a_connection_keep_one_budget_of_requests() -> None:
    with FaultServer(faults.reply()) as server:
        async with shared_transport(settings_of(server, requests_per_second=20)) as transport:
            started = time.monotonic()
            await asyncio.gather(*(transport.read({}, 1, 10, LOG) for _ in range(11)))
            assert time.monotonic() - started > 10 / 20 * 0.9


async def test_users_of_a_connection_share_a_client_and_the_last_one_closes_it() -> None:
    with FaultServer(faults.reply()) as server:
        settings = settings_of(server)
        async with shared_transport(settings) as one:
            async with shared_transport(settings_of(server)) as other:
                assert one is other
                await other.read({}, 1, 10, LOG)
            await one.read({}, 1, 10, LOG)
            assert server.connections == 1
        assert not async_transport._shared
        with pytest.raises(RuntimeError, match="closed"):
            await one.read({}, 1, 10, LOG)


async def test_an_edited_connection_gets_a_client_of_its_own() -> None:
    with FaultServer(faults.reply()) as server:
        async with (
            shared_transport(settings_of(server)) as one,
            shared_transport(settings_of(server, timeout=6)) as other,
        ):
            assert one is not other


async def test_the_token_goes_to_the_origin_alone_and_netrc_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with (
        FaultServer(faults.reply()) as elsewhere,
        FaultServer(faults.reply(302, b"", Location=f"{elsewhere.url}/api/leads/")) as server,
    ):
        with pytest.raises(SelaSetupError, match="never followed"):
            await ask(server)
        assert server.requests[0].headers["authorization"] == "Token fault-token"
        assert not elsewhere.requests


async def test_a_slow_server_and_a_big_answer_do_not_block_the_loop() -> None:
    body = faults.page_body([{"id": number, "metadata": {"text": "x" * 200}} for number in range(20_000)])

    def slow(wire: faults.Wire, request: faults.Received) -> bool:
        time.sleep(0.5)
        wire.send(faults.http(200, body))
        return True

    with FaultServer(slow) as server, LoopWatch() as watch:
        task = asyncio.create_task(ask(server))
        blocked = await watch.longest_block(task.done)
        assert (await task).rows == 20_000
    assert blocked < 0.1


async def test_the_hook_reads_the_same_leads_in_both_halves(api: SelaApi, hook: SelaHook) -> None:
    assert [lead async for lead in hook.aiter_leads()] == list(hook.iter_leads())
    external_id = str(api.leads[28007]["external_id"])
    assert await hook.afind_leads(external_id) == hook.find_leads(external_id) != []
    assert await hook.acount_leads() == hook.count_leads() == 250


async def test_a_connection_that_is_not_defined_is_named() -> None:
    with pytest.raises(SelaUnavailableError, match="'nowhere' is not defined in Airflow, or cannot"):
        await SelaHook("nowhere").acount_leads()


class Denying(BaseSecretsBackend):
    """Refuses whoever asks, as Airflow's own API may."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

        raise AirflowSecretsBackendAccessDenied(SECRET)


async def test_a_connection_that_airflow_cannot_give_is_a_failure_of_the_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exceptions = pytest.importorskip("airflow.sdk.exceptions")
    if not hasattr(exceptions, "AirflowSecretsBackendAccessDenied"):
        pytest.skip("Airflow below 3.3 takes what a backend refuses for not defined")
    monkeypatch.setattr("airflow.sdk.configuration._secrets_backend_cache", {})
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{Denying.__module__}.{Denying.__name__}")
    with pytest.raises(
        SelaUnavailableError, match="'sela_default' is not defined in Airflow, or cannot"
    ) as caught:
        await SelaHook().acount_leads()
    assert caught.value.retryable
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


async def test_a_list_that_shrinks_under_the_reader_ends_the_walk(api: SelaApi, hook: SelaHook) -> None:
    seen = []
    async for lead in hook.aiter_leads(page_size=100):
        seen.append(lead["id"])
        if len(seen) == 100:
            for number in range(28100, 28250):
                api.delete(number)
    assert seen == list(api.leads)
    assert [request.status for request in api.requests] == [200, 404, 200]


async def test_one_404_in_the_middle_of_a_list_loses_nothing(api: SelaApi, hook: SelaHook) -> None:
    seen = []
    async for lead in hook.aiter_leads(page_size=100):
        seen.append(lead["id"])
        if len(seen) == 100:
            api.answer_next(404)
    assert seen == list(api.leads)
