"""A read in parts as Airflow does it: each task an operator of its own, XCom as JSON between them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from tests.support.tasks import rendered


class PartsRun:
    """The tasks of one DAG run.

    :param folder: where the run may write.
    :param arguments: what all tasks are given.
    """

    def __init__(self, folder: Path, **arguments: Any) -> None:
        self.base = folder / "parts"
        self.target = folder / "leads.jsonl"
        self.url = str(self.base)
        self.run_id = "manual__1"
        self.arguments = arguments
        self.xcoms: list[str] = []

    def plan(self, *, attempt: int = 1, **arguments: Any) -> list[Any]:
        """Plan the read."""
        given = {"max_parts": 4, "path": self.url, **self.arguments, **arguments}
        operator = rendered(SelaPlanPartsOperator, **given)
        parts: list[Any] = self._pushed(operator.execute(self._context("plan", attempt=attempt)))
        return parts

    def read(self, part: Any, *, attempt: int = 1, **arguments: Any) -> Any:
        """Read a part."""
        operator = rendered(SelaReadPartOperator, part=part, **{**self.arguments, **arguments})
        return self._pushed(operator.execute(self._context("read", part["part"], attempt)))

    def land(self, parts: Any, **arguments: Any) -> Any:
        """Finish the read and write the leads into a file."""
        given = {"path": str(self.target), **self.arguments, **arguments}
        operator = rendered(SelaLeadsOperator, parts=parts, **given)
        return self._pushed(operator.execute(self._context("land")))

    def all(self) -> Any:
        """Plan, read, land."""
        return self.land([self.read(part) for part in self.plan()])

    @property
    def landed(self) -> dict[int, Any]:
        """The leads in the file, by id."""
        leads = [json.loads(line) for line in self.target.read_bytes().splitlines()]
        return {lead["id"]: lead for lead in leads}

    @property
    def left(self) -> list[Path]:
        """Every file among the parts."""
        return sorted(path for path in self.base.rglob("*") if path.is_file())

    def _context(self, task_id: str, map_index: int = -1, attempt: int = 1) -> Any:
        names = {"dag_id": "leads", "task_id": task_id, "run_id": self.run_id, "map_index": map_index}
        return {"ti": SimpleNamespace(**names, try_number=attempt), "run_id": self.run_id}

    def _pushed(self, value: Any) -> Any:
        self.xcoms.append(json.dumps(value))
        return json.loads(self.xcoms[-1])
