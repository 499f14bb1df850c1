"""A process that writes leads to a file and can be killed, starved or measured: ``python writer.py JSON``.

The argument is an object: ``path``, ``conn_id``, ``run`` and ``attempt`` as in ``LeadFile``; ``leads``, how
many; ``stop_after``, the number of leads after which the write hangs; ``largest``, the number of bytes after
which the operating system refuses to make a file larger. It prints ``{"hangs": true}`` or the peak of its
resident memory before and after the write, in MB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_sela.storage.files import LeadFile
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.testing import sample_lead
from tests.support.spooling import add


class HangingSpool(Spool):
    """Stops in the middle of being written."""

    stop_after: int | None = None

    def lines_by_id(self) -> Iterator[bytes]:
        for number, line in enumerate(super().lines_by_id()):
            if number == self.stop_after:
                print(json.dumps({"hangs": True}), flush=True)
                time.sleep(60)
            yield line


def peak() -> float:
    # ru_maxrss would count what the parent held when it forked.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(order: dict[str, Any]) -> None:
    options = {name: order[name] for name in ("conn_id", "run", "attempt") if name in order}
    with LeadFile(order["path"], **options) as file, HangingSpool(file.encoder) as spool:
        assert isinstance(spool, HangingSpool)
        lead: Any = sample_lead(28000)
        for lead_id in range(order["leads"]):
            lead["id"] = lead_id
            add(spool, lead)
        spool.stop_after = order.get("stop_after")
        spool.path()
        if largest := order.get("largest"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        before = peak()
        file.publish(spool, dict)
        print(json.dumps({"before": before, "after": peak()}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
