"""Writes what was measured: tables between the markers of docs/performance.md, and plots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import goals
from benchmarks.plots import prepare, save

Results = Mapping[str, Any]
NAMES = {
    "read_raw": "limit: raw download, 8 connections",
    "read_sela": "this package, verified, 8 connections",
    "read_requests": "requests loop, json",
    "read_http": "HttpOperator, pagination_function",
    "read_dlt": "dlt rest_api, extract",
    "limit_sela": "limit: download, bulk load and merge of a prepared file",
    "load_sela": "this package, SelaLeadsToSqlOperator",
    "unchanged": "this package, again, nothing changed",
    "changed": "this package, once more, 1 % changed",
    "load_http_postgres_again": "HttpOperator, insert_rows with replace, again",
    "load_pandas_postgres_again": "requests, pandas, to_sql (no merge), again",
    "load_pandas_duckdb_again": "requests, pandas (no merge), again",
    "load_dlt_postgres_again": "dlt rest_api, merge, again",
    "load_dlt_tuned_postgres_again": "dlt rest_api, merge, csv, metadata not split, again",
    "load_dlt_duckdb_again": "dlt rest_api, merge, parquet, metadata not split, again",
    "load_http_postgres": "HttpOperator, insert_rows with replace",
    "load_dlt_postgres": "dlt rest_api, merge",
    "load_dlt_tuned_postgres": "dlt rest_api, merge, csv, metadata not split",
    "load_dlt_duckdb": "dlt rest_api, merge, parquet, metadata not split",
    "load_pandas_postgres": "requests, pandas, to_sql (no merge)",
    "load_pandas_duckdb": "requests, pandas (no merge)",
}
GROUPS = {
    "reading_with_latency": "Reading, 100 leads a page, 50 ms latency",
    "reading": "Reading, 1,000 leads a page, no latency",
    "loading_postgres": "Loading into PostgreSQL",
    "loading_duckdb": "Loading into DuckDB",
}


def tables(results: Results) -> dict[str, str]:
    """Markdown by the name of the marker that it belongs to."""
    found = {"goals": _table(("", "goal", "wanted", "measured", ""), (goal.cells for goal in goals(results)))}
    for name in GROUPS.keys() & results.keys():
        found[name] = _ways(results[name]["ways"])
    if "loading_others" in results:
        found["loading_others"] = _table(
            ("database", "first load, s", "again, nothing changed, s", "once more, 1 % changed, s"),
            (
                (name, *(f"{load['seconds']:.2f}" for load in loads))
                for name, loads in results["loading_others"]["databases"].items()
            ),
        )
    if "growth" in results:
        found["growth"] = _table(
            ("leads", "into", "load", "MB above the interpreter", "seconds", "microseconds a lead"),
            (
                (
                    f"{load['leads']:,}",
                    load["target"],
                    load["load"],
                    f"{load['megabytes']:.0f}",
                    f"{load['seconds']:.1f}",
                    f"{load['seconds'] / load['leads'] * 1e6:.0f}",
                )
                for load in results["growth"]["loads"]
            ),
        )
    if "steps" in results:
        steps = results["steps"]["microseconds"]
        rows = [*steps.items(), ("together", sum(steps.values()))]
        found["steps"] = _table(("step", "microseconds"), ((name, f"{spent:.1f}") for name, spent in rows))
    if "machine" in results:
        found["machine"] = _machine(results)
    return found


def write_docs(results: Results, page: Path) -> None:
    """Put tables between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what has no figures stays as it was."""
    text = page.read_text()
    for name, table in tables(results).items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)  # type: ignore[misc]
    page.write_text(text)


def draw(results: Results, folder: Path) -> None:
    """Bars for each group, lines for memory and growth."""
    prepare()
    from matplotlib import pyplot

    for name, title in GROUPS.items():
        if name not in results:
            continue
        ways = results[name]["ways"]
        figure, axes = pyplot.subplots(figsize=(7, 0.42 * len(ways) + 0.9), layout="constrained")
        seconds = [figures["seconds"] for figures in ways.values()]
        colours = ["#3f51b5" if "this package" in NAMES[way] else "#9e9e9e" for way in ways]
        bars = axes.barh([NAMES[way] for way in ways], seconds, color=colours)
        axes.bar_label(bars, [f"{each:.2f} s" for each in seconds], padding=3)
        axes.invert_yaxis()
        axes.set(title=title, xlabel="seconds", xlim=(0, max(seconds) * 1.25))
        save(figure, folder / f"{name}.svg")
        pyplot.close(figure)
    if "growth" in results:
        _draw_growth(results["growth"]["loads"], folder, pyplot)


def _draw_growth(loads: Sequence[Mapping[str, Any]], folder: Path, pyplot: Any) -> None:
    figure, (memory, time) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    colours: dict[str, int] = {}
    for target, number in dict.fromkeys((load["target"], load["load"]) for load in loads):
        mine = [load for load in loads if (load["target"], load["load"]) == (target, number)]
        leads = [load["leads"] for load in mine]
        line = {
            "marker": "o", "label": target if number == "first" else f"{target}, again",
            "color": f"C{colours.setdefault(target, len(colours))}",
            "linestyle": "-" if number == "first" else ":",
        }  # fmt: skip
        memory.plot(leads, [load["megabytes"] for load in mine], **line)
        time.plot(leads, [load["seconds"] / load["leads"] * 1e6 for load in mine], **line)
    memory.set(xscale="log", xlabel="leads", ylabel="MB above the interpreter", ylim=(0, None))
    time.set(xscale="log", xlabel="leads", ylabel="microseconds a lead", ylim=(0, None))
    for axes in (memory, time):
        axes.grid(alpha=0.3)
    memory.legend(frameon=False)
    save(figure, folder / "growth.svg")
    pyplot.close(figure)


def _ways(ways: Mapping[str, Mapping[str, Any]]) -> str:
    ours = next(
        figures["seconds"] for way, figures in ways.items() if way.endswith("_sela") and "limit" not in way
    )
    return _table(
        ("way", "seconds", "of ours", "leads/s", "CPU s", "peak MB", "requests"),
        (
            (
                NAMES[way],
                f"{figures['seconds']:.2f}",
                f"{figures['seconds'] / ours:.2f} x",
                f"{figures['leads'] / figures['seconds']:,.0f}",
                f"{figures['cpu']:.1f}",
                f"{figures['peak']:.0f}",
                str(figures.get("requests", "")),
            )
            for way, figures in ways.items()
        ),
    )


def _machine(results: Results) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    every = {name: number for found in results.get("peers", {}).values() for name, number in found.items()}
    peers = ", ".join(f"{name} {number}" for name, number in every.items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; {machine['system']};"
        f" Python {machine['python']}; load average when it began {machine['load']:.1f}."
        f" Ours: {versions}. Peers: {peers or 'none'}. {results['leads']:,} leads, medians of"
        f" {results['rounds']}."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
