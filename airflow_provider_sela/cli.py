"""Commands: ``airflow sela …`` from Airflow 3.2 on, ``python -m airflow_provider_sela …`` everywhere.

``check`` says whether a connection works, how its server behaves, and which configuration suits it; ``leads``
looks one lead up; ``dbt`` writes a source and a staging model. Results go to standard output, everything else
to standard error.

Every ``airflow`` command loads the definitions, so they import nothing that it has not loaded already.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sela import __version__

if TYPE_CHECKING:
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    from airflow_provider_sela.hooks.sela import SelaHook

EXIT_OK, EXIT_REMARKS, EXIT_BROKEN, EXIT_STOPPED = 0, 1, 2, 130
#: Fields of a lead that say nothing of the person.
NON_PERSONAL_FIELDS = (
    "id", "status", "status_reason", "created_time", "modified_time", "next_call_time", "sms_dnc", "call_dnc",
)  # fmt: skip


def get_sela_commands() -> list[GroupCommand]:
    """The group ``sela``, as the provider's metadata offers it to Airflow."""
    from airflow.cli.cli_config import GroupCommand

    return [
        GroupCommand(
            name="sela", help="Check a Sela connection, look up leads, write for dbt", subcommands=_commands()
        )
    ]


@contextmanager
def _stoppable() -> Iterator[None]:
    """Answer Ctrl-C in a word instead of a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(EXIT_STOPPED)


@_stoppable()
def main(arguments: Sequence[str] | None = None) -> None:
    """The same commands without Airflow's own."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_sela",
        description="Check a Sela connection, look up leads, write for dbt",
    )
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    parser.add_argument("--version", help="Show the version and end", action=_Version)
    with redirect_stdout(sys.stderr):
        commands = _commands()
    for command in commands:
        words = names.add_parser(command.name, help=command.help, description=command.description)
        for argument in command.args:
            argument.add_to_parser(words)
        words.set_defaults(func=command.func)
    parsed = parser.parse_args(arguments)
    parsed.func(parsed)


class _Version(argparse.Action):
    """Shows whose commands these are. Airflow's groups take no options, so each command has it."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> NoReturn:
        print(f"airflow-provider-sela {__version__} (apache-airflow {version('apache-airflow')})")
        parser.exit()


@_stoppable()
def check(args: argparse.Namespace) -> NoReturn:
    """Run ``check``; exits with 0 if all is well, 1 if something is worth a look, 2 if nothing works."""
    from airflow_provider_sela.api.checkup import advice, findings, report

    with _hook(args.conn_id) as hook:
        from airflow_provider_sela.reading.checkup import examine

        settings = hook.settings
        seen = examine(hook.transport)
    judged = findings(seen, settings.page_size, settings.unknown_extras)
    if args.output == "json":
        _print(json.dumps(report(settings.base_url, seen, judged), indent=2))
    else:
        lines = [
            f"Connection {settings.conn_id}: {settings.base_url}",
            *(f"{' ' if found.fine else '!'} {found.subject:<12} {found.text}" for found in judged),
            "\nExtras that suit this server",
            *(f"  {each.extra:<21}{each.value:<6} {each.reason}" for each in advice(seen)),
            f"\n{seen.requests} requests were sent.",
        ]
        _print("\n".join(lines))
    sys.exit(EXIT_OK if all(finding.fine for finding in judged) else EXIT_REMARKS)


@_stoppable()
def leads(args: argparse.Namespace) -> NoReturn:
    """Run ``leads``; exits with 0 if there is one, 1 if there is none, 2 if nothing works."""
    with _hook(args.conn_id) as hook:
        found = hook.find_leads(args.external_id)
    shown: list[Mapping[str, Any]] = [
        lead if args.show_personal_data else {name: lead.get(name) for name in NON_PERSONAL_FIELDS}
        for lead in found
    ]
    if args.output == "json":
        _print(json.dumps(shown, indent=2))
    elif shown:
        _print(_records(shown) if args.show_personal_data else _table(shown))
    if not shown:
        print("no lead has this external_id", file=sys.stderr)
    sys.exit(EXIT_OK if shown else EXIT_REMARKS)


@_stoppable()
@_stoppable()
def dbt(args: argparse.Namespace) -> None:
    """Run ``dbt``; exits with 2 if no text can be made of what was asked."""
    from airflow_provider_sela.exceptions import SelaRequestError
    from airflow_provider_sela.warehouse.dbt import model, sources
    from airflow_provider_sela.warehouse.tables import Mode

    table = (args.engine, args.table, Mode(args.mode))
    try:
        if args.file == "sources" and args.metadata:
            raise SelaRequestError("--metadata is for the model: its keys become columns there")
        text = sources(*table) if args.file == "sources" else model(*table, args.metadata)
        _print(text.removesuffix("\n"))
    except SelaRequestError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_BROKEN)


def _print(text: str) -> None:
    """Write a result, whatever the output is and can encode; exits with 2 if it cannot take it."""
    encoding = sys.stdout.encoding or "utf-8"
    problem = ""
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
        return
    except BrokenPipeError:
        # Whoever read has seen enough, as `head` has; the status is that of the command.
        pass
    except OSError as error:
        problem = f"the result cannot be written ({error.strerror})"
    # Python would try again, and complain, when it flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if problem:
        print(problem, file=sys.stderr)
        sys.exit(EXIT_BROKEN)


def _commands() -> list[ActionCommand]:
    from airflow.cli.cli_config import ActionCommand, Arg

    shown_version = Arg(("--version",), help="Show the version and end", action=_Version)
    conn_id = Arg(("--conn-id",), help="Airflow connection; default: sela_default", default="sela_default")

    def output(default: str) -> Arg:
        return Arg(("--output",), help=f"Default: {default}", choices=[default, "json"], default=default)

    return [
        ActionCommand(
            name="check",
            help="Say whether a connection works, how the server behaves, and which extras suit it",
            description="Sends six requests, and again those that a rate limit refuses. Exit status: 0 all is"
            " well, 1 see the lines with !, 2 it does not work.",
            func=check,
            args=(conn_id, output("text"), shown_version),
        ),
        ActionCommand(
            name="leads",
            help="Show the leads that have an external_id, without what is personal",
            description="Exit status: 0 there is one, 1 there is none, 2 it does not work.",
            func=leads,
            args=(
                conn_id,
                Arg(("--external-id",), help="The lead's id in your own CRM", required=True),
                output("table"),
                Arg(
                    ("--show-personal-data",),
                    help="Show all fields, one a line: name, e-mail address, phone number, metadata",
                    action="store_true",
                ),
                shown_version,
            ),
        ),
        _dbt_command(shown_version),
    ]


def _dbt_command(shown_version: Arg) -> ActionCommand:
    from airflow.cli.cli_config import ActionCommand, Arg

    engines, modes = ("duckdb", "mysql", "postgres", "snowflake"), ("merge", "replace", "append", "history")
    key = "Key of metadata that becomes a column, as KEY or KEY:TYPE, with the type text (default), integer,"
    return ActionCommand(
        name="dbt",
        help="Print a source or a staging model for dbt",
        description="Asks neither Sela nor the database. Exit status: 0 all is well, 2 a name is refused.",
        func=dbt,
        args=(
            Arg(("file",), help="sources.yml, or the model's SQL", choices=["sources", "model"]),
            Arg(("--engine",), help="Default: duckdb", choices=engines, default="duckdb"),
            Arg(("--table",), help="As the operator has it; default: leads", default="leads"),
            Arg(("--mode",), help="That of the loads; default: merge", choices=modes, default="merge"),
            Arg(
                ("--metadata",),
                help=f"{key} number, boolean, timestamp or us_timestamp; may be repeated",
                action="append",
                default=[],
            ),
            shown_version,
        ),
    )


@contextmanager
def _hook(conn_id: str) -> Iterator[SelaHook]:
    """The hook of a connection. What fails ends the command with our own words."""
    # Airflow logs to standard output, some versions when they are imported; only results belong there.
    with redirect_stdout(sys.stderr):
        from airflow.models.connection import Connection
        from airflow.providers.common.compat.sdk import AirflowNotFoundException

        from airflow_provider_sela.exceptions import SelaError
        from airflow_provider_sela.hooks.sela import SelaHook

        try:
            # A hook itself finds what is in the metadata database only inside of a task.
            connection = Connection.get_connection_from_secrets(conn_id)
            with closing(SelaHook.from_connection(connection)) as hook:
                yield hook
            return
        except SelaError as error:
            problem = str(error)
        except AirflowNotFoundException:
            problem = (
                f"connection {conn_id!r} is not defined, or Airflow cannot look it up for now: create it,"
                " name another with --conn-id, or try again later"
            )
    print(problem, file=sys.stderr)
    sys.exit(EXIT_BROKEN)


def _records(rows: Sequence[Mapping[str, Any]]) -> str:
    """One field a line, for rows that are wider than a terminal."""
    width = max(len(name) for row in rows for name in row)
    return "\n\n".join(
        "\n".join(f"{name:<{width}}  {_cell(value)}".rstrip() for name, value in row.items()) for row in rows
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows under their names. No value can steer the terminal: what is not printable is written out."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(text)
