"""What is measured: the ways of a group in turn, round after round, so that a drifting machine is fair."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import import_time, memory, steps
from benchmarks.environments import Environments, database, mariadb_database, scratch
from benchmarks.serving import LATER, TOKEN, serving

LATENCY = 0.05
CONNECTIONS = 8
#: What is asked for by three loads into one table: of nothing, of what has not changed, of what has.
LOADS = (TOKEN, TOKEN, LATER)
Figures = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    :param leads: leads in the list that is read and loaded.
    :param rounds: runs of each way, of which the median counts.
    :param slow_rounds: the same for peers that wait a minute for answers and hardly vary.
    :param many_rounds: the same for loads into DuckDB, whose time varies by a third on two cores.
    :param growth: lengths of lists for memory and growth.
    """

    leads: int = 100_000
    rounds: int = 5
    slow_rounds: int = 1
    many_rounds: int = 11
    growth: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)


FULL = Scale()
QUICK = Scale(leads=10_000, rounds=1, many_rounds=1, growth=(1_000, 10_000))


class Suite:
    """The groups of measurements.

    :param scale: how much is measured.
    :param environments: where ways run.
    """

    def __init__(self, scale: Scale, environments: Environments) -> None:
        self.scale = scale
        self._environments = environments

    def reading_with_latency(self) -> Figures:
        """Reading with small pages from a server that takes its time."""
        ways = {"read_raw": self.scale.rounds, "read_sela": self.scale.rounds} | dict.fromkeys(
            ("read_requests", "read_http", "read_dlt"), self.scale.slow_rounds
        )
        return self._reading(ways, page_size=100, latency=LATENCY)

    def reading(self) -> Figures:
        """Reading with large pages from a server that answers at once: mostly parsing."""
        ways = ("read_raw", "read_sela", "read_requests", "read_http", "read_dlt")
        return self._reading(dict.fromkeys(ways, self.scale.rounds), page_size=1000, latency=0.0)

    def loading_postgres(self) -> Figures:
        """Whole loads into PostgreSQL, then the same of what has not changed, and of what has, one in 100."""
        fast, slow = self.scale.rounds, self.scale.slow_rounds
        ways = {
            "limit_sela": fast, "load_sela": fast, "load_http_postgres": fast, "load_dlt_postgres": fast,
            "load_dlt_tuned_postgres": slow, "load_pandas_postgres": slow,
        }  # fmt: skip
        with scratch() as folder, database() as target:
            return self._loading(ways, folder, lambda name: {"postgres": target})

    def loading_duckdb(self) -> Figures:
        """Whole loads into DuckDB, then the same twice more."""
        ways = dict.fromkeys(
            ("limit_sela", "load_sela", "load_dlt_duckdb", "load_pandas_duckdb"), self.scale.many_rounds
        )
        with scratch() as folder:
            return self._loading(ways, folder, lambda name: {"duckdb": f"{folder}/{name}.duckdb"})

    def loading_others(self) -> Figures:
        """Three loads into MariaDB and into SQLite, once."""
        with scratch() as folder, serving(self.scale.leads, [0.0]) as urls, mariadb_database() as target:
            order = self._order(urls[0.0], folder, 1000) | {"table": "leads"}
            places: dict[str, Figures] = {
                "MariaDB": {"mysql": target},
                "SQLite": {"sqlite": f"{folder}/leads.sqlite"},
            }

            def loads(place: Figures) -> list[Figures]:
                return [self._run("load_sela", {**order, **place, "token": token}, folder) for token in LOADS]

            return {"databases": {name: loads(place) for name, place in places.items()}}

    def growth(self) -> Figures:
        """Memory and time of loads from a thousand leads to a million."""
        return {"loads": [dict(each) for leads in self.scale.growth for each in memory.measure(leads)]}

    def imports(self) -> Figures:
        """Milliseconds of CPU that a DAG file with all our classes costs beyond Airflow's own imports."""
        import_time.cost("sela")
        return {"milliseconds": [import_time.cost("sela")[0] for _ in range(max(3, self.scale.rounds))]}

    def steps(self) -> Figures:
        """Microseconds of CPU a lead of each step of a load into PostgreSQL."""
        return {"microseconds": steps.measure()}

    def _reading(self, ways: Mapping[str, int], *, page_size: int, latency: float) -> Figures:
        runs: dict[str, list[Figures]] = {way: [] for way in ways}
        with scratch() as folder, serving(self.scale.leads, [latency]) as urls:
            order = self._order(urls[latency], folder, page_size)
            for number in range(max(ways.values())):
                for way in (way for way, rounds in ways.items() if number < rounds):
                    runs[way].append(self._run(way, order, folder))
        return {"page_size": page_size, "latency": latency, "ways": _medians(runs)}

    def _loading(self, ways: Mapping[str, int], folder: str, target: Callable[[str], Figures]) -> Figures:
        """First loads in turn, each with those that follow it.

        :param ways: rounds of each way; second loads of peers are run once.
        """
        runs: dict[str, list[Figures]] = {way: [] for way in (*ways, "unchanged", "changed")}
        with serving(self.scale.leads, [0.0]) as urls:
            order = self._order(urls[0.0], folder, 1000) | {"prepared": f"{folder}/prepared"}
            self._run("prepare", {**order, **target("prepared"), "table": "prepared"}, folder)
            for number in range(max(ways.values())):
                for way in (way for way, rounds in ways.items() if number < rounds):
                    place = {**target(f"{way}{number}"), "table": f"{way}{number}"}
                    _settle(place)
                    runs[way].append(self._run(way, {**order, **place}, folder))
                    if way == "load_sela":
                        before = _written(place)
                        again = self._run(way, {**order, **place}, folder)
                        after = _written(place)
                        touched = {name: after[name] - before[name] for name in after}
                        runs["unchanged"].append(again | touched)
                        runs["changed"].append(self._run(way, {**order, **place, "token": LATER}, folder))
                    elif way.startswith("load") and number == 0:
                        runs[f"{way}_again"] = [self._run(way, {**order, **place}, folder)]
                    _drop(place)
        return {"ways": _medians(runs)}

    def _order(self, url: str, folder: str, page_size: int) -> dict[str, Any]:
        return {
            "url": url, "token": TOKEN, "page_size": page_size, "concurrency": CONNECTIONS, "folder": folder,
        }  # fmt: skip

    def _run(self, way: str, order: Mapping[str, Any], folder: str) -> Figures:
        figures = self._environments.run(way, order, folder)
        if figures["leads"] != self.scale.leads:
            raise RuntimeError(f"{way} gave {figures['leads']} of {self.scale.leads} leads")
        print(f"  {way:<22}{figures['seconds']:8.2f} s", file=sys.stderr, flush=True)
        return figures


def _medians(runs: Mapping[str, list[Figures]]) -> dict[str, Figures]:
    return {
        way: {
            **every[-1],
            **{name: median(run[name] for run in every) for name in ("seconds", "cpu", "peak")},
            "runs": [round(run["seconds"], 3) for run in every],
        }
        for way, every in runs.items()
    }


def _settle(place: Mapping[str, Any]) -> None:
    """Let nothing that an earlier load left to do fall into the next one's time."""
    if "postgres" in place:
        _ask(place, "CHECKPOINT")


def _written(place: Mapping[str, Any]) -> Figures:
    """How much has been written to a database so far."""
    if "postgres" not in place:
        paths = [Path(place["duckdb"]), Path(f"{place['duckdb']}.wal")]
        return {"megabytes_written": sum(path.stat().st_size for path in paths if path.exists()) / 1e6}
    _settle(place)
    (wal,) = _ask(place, "SELECT (pg_current_wal_lsn() - '0/0')::bigint")
    touched = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = %s"
    return {"wal_megabytes": wal / 1e6, "rows_touched": _ask(place, touched, place["table"])[0]}


def _drop(place: Mapping[str, Any]) -> None:
    if "postgres" in place:
        for table in (place["table"], "http_leads", "pandas_leads"):
            _ask(place, f"DROP TABLE IF EXISTS {table}")
        _ask(place, "DROP SCHEMA IF EXISTS dlt_leads, dlt_leads_staging CASCADE")
        return
    for path in Path(place["duckdb"]).parent.glob(f"{Path(place['duckdb']).name}*"):
        with suppress(FileNotFoundError):
            path.unlink()


def _ask(place: Mapping[str, Any], sql: str, *parameters: str) -> tuple[Any, ...]:
    import psycopg

    with psycopg.connect(**place["postgres"], autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(sql.encode(), parameters)
        found: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else ()
        return found or ()
