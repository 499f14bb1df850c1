"""Parameters of a load into a table: how its name is read, and what does not go together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from airflow_provider_sela.api.parameters import settled, text
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.operators.read_options import WHOLE_MODES
from airflow_provider_sela.warehouse.identifiers import table_name

ModeName = Literal["merge", "replace", "append", "history"]
Deletes = Literal["ignore", "mark"]


def target_table(name: str, value: object) -> str:
    """Read ``table``: a name that may be part of a statement."""
    read = text(name, value)
    table_name(read)
    return read


def absence_option(deletes: object, confirm_missing: object) -> str:
    """The parameter by which leads that were not read are asked for; empty where none says so."""
    if deletes == "mark":
        return "deletes='mark'"
    return "confirm_missing" if confirm_missing is True else ""


def check_deletes(absence: str, *, mode: str, filters: Iterable[Any]) -> None:
    """Refuse to look for leads that were not read where their absence says nothing.

    :param absence: from :func:`absence_option`.
    :param filters: their values.
    :raises SelaRequestError: the message names the parameter.
    """
    if not absence:
        return
    if mode in WHOLE_MODES:
        raise SelaRequestError(f"{absence} goes with merge and history, not with mode {mode}")
    if any(value is not None and settled(value) for value in filters):
        raise SelaRequestError(f"{absence} needs a read without filters: leave the filters out")


def check_accounts(absence: str, *, mode: str, several_accounts: object) -> None:
    """Refuse to take leads of one account for gone because another one does not have them.

    :param absence: from :func:`absence_option`.
    :raises SelaRequestError: the message names the parameter.
    """
    if several_accounts is True and (absence or mode == "replace"):
        raise SelaRequestError(
            "several_accounts goes with neither mode replace nor deletes='mark' nor confirm_missing: one"
            " account cannot tell what is gone from another"
        )
