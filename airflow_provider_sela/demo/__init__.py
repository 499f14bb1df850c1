"""``sela-demo``: made-up leads in a DuckDB table, by a real Airflow that is the demo's own.

Everything lies in one folder, by default ``./sela_demo``; a second run finds the table of the first.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_sela.demo.errors import DemoError
from airflow_provider_sela.demo.interrupts import heed_signals


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status: 1 for a failure, 130 where it was stopped before its end."""
    options = _parser().parse_args(argv)
    heed_signals()
    try:
        # Only now, so that Ctrl-C is answered from the first moment on.
        from airflow_provider_sela.demo.steps import run_demo

        run_demo(options.folder, ui=options.ui)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("Stopped; nothing of the demo runs any more, and sela-demo begins anew.")
        return 130
    except BrokenPipeError:
        # Whoever read has gone, as `head` does; Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (DemoError, OSError) as error:
        print(f"sela-demo: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sela-demo", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("sela_demo"), help="default: ./sela_demo"
    )
    parser.add_argument("--ui", action="store_true", help="leave Airflow's UI running until Ctrl-C")
    return parser
