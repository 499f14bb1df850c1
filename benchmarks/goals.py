"""What is to be reached, as ratios within one run, and whether it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

Results = Mapping[str, Any]


class Goal(NamedTuple):
    """A goal and what was measured.

    :param number: which of the goals it is a part of.
    :param text: what is to be reached.
    :param unit: of both figures; ``x`` for a ratio.
    :param least: whether the limit is the least that is wanted rather than the most.
    """

    number: int
    text: str
    measured: float
    limit: float
    unit: str = "x"
    least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.least else self.measured <= self.limit

    @property
    def cells(self) -> tuple[str, ...]:
        """Number, text, what was wanted, what was measured, whether it was met."""
        bound = "at least" if self.least else "at most"
        return (
            str(self.number),
            self.text,
            f"{bound} {self.limit:g} {self.unit}",
            f"{self.measured:.2f} {self.unit}",
            "met" if self.met else "not met",
        )


def goals(results: Results) -> list[Goal]:
    """Every goal for which there are figures."""
    makers = {
        "reading_with_latency": _reading_with_latency,
        "reading": _reading,
        "loading_postgres": _loading_postgres,
        "loading_duckdb": _loading_duckdb,
        "growth": _growth,
        "imports": _imports,
    }
    return sorted(
        (goal for name, maker in makers.items() if name in results for goal in maker(results[name])),
        key=lambda goal: goal.number,
    )


def _ratio(group: Results, way: str, other: str) -> float:
    return float(group["ways"][way]["seconds"] / group["ways"][other]["seconds"])


def _reading_with_latency(group: Results) -> Iterator[Goal]:
    text = "verified read, 100 a page, 50 ms: time over a raw download"
    yield Goal(1, text, _ratio(group, "read_sela", "read_raw"), 1.28)
    for peer in ("requests", "http", "dlt"):
        text = f"the same: times as fast as {_NAMES[peer]}"
        yield Goal(1, text, _ratio(group, f"read_{peer}", "read_sela"), 6.4, least=True)


def _reading(group: Results) -> Iterator[Goal]:
    for peer, limit in (("dlt", 4), ("requests", 1.25)):
        text = f"read and parse, 1,000 a page: times as fast as {_NAMES[peer]}"
        yield Goal(2, text, _ratio(group, f"read_{peer}", "read_sela"), limit, least=True)


def _loading_postgres(group: Results) -> Iterator[Goal]:
    for peer, limit in (("dlt", 8), ("http", 2.4)):
        text = f"load into PostgreSQL: times as fast as {_NAMES[peer]}"
        yield Goal(3, text, _ratio(group, f"load_{peer}_postgres", "load_sela"), limit, least=True)
    yield Goal(3, "load into PostgreSQL: time over the limit", _ratio(group, "load_sela", "limit_sela"), 1.7)
    unchanged = group["ways"]["unchanged"]
    yield Goal(4, "unchanged second load, PostgreSQL: rows touched", unchanged["rows_touched"], 0, "rows")
    yield Goal(4, "unchanged second load, PostgreSQL: WAL", unchanged["wal_megabytes"], 1, "MB")
    yield from _second_loads(group, "PostgreSQL", 0.65, "load_http_postgres", 4.41 / 6.85)


def _loading_duckdb(group: Results) -> Iterator[Goal]:
    ratio = _ratio(group, "load_dlt_duckdb", "load_sela")
    yield Goal(3, f"load into DuckDB: times as fast as {_NAMES['dlt']}, parquet", ratio, 4, least=True)
    ratio = _ratio(group, "load_pandas_duckdb", "load_sela")
    yield Goal(3, f"load into DuckDB: times as fast as {_NAMES['pandas']}", ratio, 1, least=True)
    yield Goal(3, "load into DuckDB: time over the limit", _ratio(group, "load_sela", "limit_sela"), 2.8)
    unchanged = group["ways"]["unchanged"]
    yield Goal(
        4, "unchanged second load, DuckDB: rows changed", unchanged["new"] + unchanged["changed"], 0, "rows"
    )
    yield Goal(
        4, "unchanged second load, DuckDB: growth of the file", unchanged["megabytes_written"], 1, "MB"
    )
    yield from _second_loads(group, "DuckDB", 0.5, "load_pandas_duckdb", 3.39 / 2.93)


def _second_loads(group: Results, database: str, share: float, yardstick: str, once: float) -> Iterator[Goal]:
    """Goals for loads of what is mostly there.

    :param share: most that the unchanged one may take of the first.
    :param yardstick: a peer's first load, by which the loads of now are compared with those of once.
    :param once: how long a second load took over that peer's as long as it typed every lead, in a run of its
        own on an idle machine.
    """
    text = f"unchanged second load, {database}: time over the first"
    yield Goal(4, text, _ratio(group, "unchanged", "load_sela"), share)
    for way, gain in (("unchanged", 3), ("changed", 2)):
        text = f"{_SECOND[way]}, {database}: times as fast as one that types every lead"
        yield Goal(4, text, once / _ratio(group, way, yardstick), gain, least=True)


def _growth(group: Results) -> Iterator[Goal]:
    limits = {
        (100_000, "duckdb"): 350, (1_000_000, "duckdb"): 500, (100_000, "postgres"): 100,
        (1_000_000, "postgres"): 250, (100_000, "parquet"): 100, (1_000_000, "parquet"): 340,
        (100_000, "jsonl.gz"): 100, (1_000_000, "jsonl.gz"): 350,
    }  # fmt: skip
    for load in group["loads"]:
        limit = limits.get((load["leads"], load["target"]))
        if limit:
            text = f"memory above the interpreter, {load['load']} load of {load['leads']:,} leads"
            yield Goal(5, f"{text} into {load['target']}", load["megabytes"], limit, "MB")
    for target in dict.fromkeys(load["target"] for load in group["loads"]):
        firsts = [load for load in group["loads"] if (load["target"], load["load"]) == (target, "first")]
        each = [load["seconds"] / load["leads"] for load in firsts]
        text = f"time per lead from the shortest to the longest list, into {target}: growth"
        yield Goal(6, text, each[-1] / each[0], 1.5)


def _imports(group: Results) -> Iterator[Goal]:
    yield Goal(7, "imports of a DAG file beyond Airflow's own", median(group["milliseconds"]), 50, "ms")


_NAMES = {
    "requests": "a requests loop", "http": "HttpOperator", "dlt": "dlt", "pandas": "pandas without merge",
}  # fmt: skip
_SECOND = {"unchanged": "unchanged second load", "changed": "second load, 1 % changed"}
