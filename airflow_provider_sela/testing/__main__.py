"""Serve sample leads until Ctrl-C: ``python -m airflow_provider_sela.testing --leads 250``."""

from __future__ import annotations

import argparse
import contextlib
import math
import shlex
import signal
import sys
from collections.abc import Sequence

from airflow_provider_sela.testing.server import SelaApi


def _token(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty, and no connection is without a token")
    return text


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds, 0 or more")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no rate above 0; leave it out for no limit")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_sela.testing", description="Serve made-up leads as Sela does."
    )
    parser.add_argument("--leads", type=int, default=250, help="how many sample leads (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other leads (%(default)s)")
    parser.add_argument(
        "--token", type=_token, default="sela-test-token", help="API token to accept (%(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="0 for a free one (%(default)s)")
    parser.add_argument("--page-size", type=int, default=100, help="leads on a page (%(default)s)")
    parser.add_argument("--max-page-size", type=int, default=1000, help="cap of page_size (%(default)s)")
    parser.add_argument(
        "--latency", type=_seconds, default=0.0, help="seconds before each answer (%(default)s)"
    )
    parser.add_argument("--rate-limit", type=_rate, help="requests per second before 429 (no limit)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return 0 then, 2 for arguments that cannot work."""
    parser = _parser()
    args = vars(parser.parse_args(argv))
    rate_limit = args.pop("rate_limit")
    # Blocked before any thread starts, and so in all of them: only sigwait below takes these signals.
    stop_signals = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    with contextlib.ExitStack() as stack:
        try:
            api = stack.enter_context(SelaApi(**args))
        except (ValueError, OverflowError) as error:
            parser.error(str(error))
        except OSError as error:
            parser.error(
                f"cannot listen on {args['host']}:{args['port']} ({error.strerror}); try another --port"
            )
        api.rate_limit = rate_limit
        add = ["airflow", "connections", "add", "sela_default", "--conn-type", "sela"]
        add += ["--conn-host", api.url, "--conn-password", api.token]
        print(f"Sela API with {len(api.leads)} sample leads at {api.url} (Ctrl-C stops it)")
        print(shlex.join(add), flush=True)
        signal.sigwait(stop_signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
