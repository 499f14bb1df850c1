"""What the tests of this folder do: spool leads and write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_provider_sela.storage.files import LeadFile
from airflow_provider_sela.storage.spool import Spool
from tests.support.spooling import add


def land(path: Any, leads: Iterable[Any], rejects: Iterable[Any] = (), **options: Any) -> LeadFile:
    """Write leads to a file."""
    with LeadFile(path, **options) as file, Spool(file.encoder) as spool:
        for lead in leads:
            add(spool, lead)
        for item in rejects:
            spool.reject(item)
        told = {"verdict": "ATOMIC", "read": len(spool)}
        file.publish(spool, lambda: {**told, "nulled": spool.nulled})
    return file


def manifest(path: Path) -> dict[str, Any]:
    """The manifest of a local file."""
    found: dict[str, Any] = json.loads(Path(f"{path}.manifest.json").read_bytes())
    return found


def names(folder: Path) -> list[str]:
    """Every name in a folder, hidden ones too."""
    return sorted(entry.name for entry in folder.iterdir())
