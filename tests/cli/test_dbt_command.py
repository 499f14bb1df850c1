"""The command that writes for dbt. What dbt makes of it: ``tests/warehouse/test_dbt.py``."""

from __future__ import annotations

import re

import pytest

from airflow_provider_sela import cli
from airflow_provider_sela.warehouse.dbt import ENGINES
from airflow_provider_sela.warehouse.metadata_sql import FORMS
from airflow_provider_sela.warehouse.tables import Mode


@pytest.mark.parametrize(
    ("words", "first", "holds"),
    [
        (("sources",), "version: 2", 'schema: "main"'),
        (("sources", "--engine", "postgres", "--table", "Sales.Leads"), "version: 2", 'schema: "sales"'),
        (("model", "--mode", "history"), "-- The leads that are there now.", "_sela_valid_to is null"),
        (
            ("model", "--metadata", "age:integer", "--metadata", "city"),
            "--",
            "    metadata_city\nfrom leads\n",
        ),
    ],
)
def test_dbt_prints_a_file_and_asks_nobody(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    first: str,
    holds: str,
) -> None:
    """There is not even a connection."""
    monkeypatch.delenv("AIRFLOW_CONN_SELA_DEFAULT", raising=False)
    cli.main(["dbt", *words])
    out = capsys.readouterr().out
    assert out.startswith(first)
    assert holds in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model", "--metadata", "age:float"], "'age:float': the types are text, integer"),
        (["sources", "--metadata", "age"], "--metadata is for the model"),
    ],
)
def test_dbt_says_what_it_refuses_and_prints_nothing(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["dbt", *words])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert told in err


def test_dbt_offers_what_there_is() -> None:
    """The definitions import nothing of ours, so they spell it themselves."""
    [group] = cli.get_sela_commands()
    [command] = [each for each in group.subcommands if each.name == "dbt"]
    offered = {argument.flags[0]: argument.kwargs for argument in command.args}
    assert set(offered["--engine"]["choices"]) == ENGINES.keys()
    assert set(offered["--mode"]["choices"]) == set(Mode)
    assert set(FORMS) <= set(re.findall(r"\w+", offered["--metadata"]["help"]))
