"""Names of tables and columns: checked before they become part of a statement."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_sela.exceptions import SelaRequestError

# Names as patterns, not compiled before one is read: DAG files import this every few seconds.
_PLAIN = r"[A-Za-z_][A-Za-z0-9_$]{0,127}"
# Percent signs, question marks and colons mean parameters to some driver or other.
_QUOTED = r'[^"`%?:\\\x00-\x1f\x7f]{1,128}'
_PART = rf'(?P<plain>{_PLAIN})|"(?P<quoted>{_QUOTED})"'
_NAME = rf'(?:{_PLAIN}|"{_QUOTED}")(?:\.(?:{_PLAIN}|"{_QUOTED}")){{0,2}}'

TableName = tuple[str, ...]


def table_name(text: str, fold: Callable[[str], str] = str) -> TableName:
    """Read ``table``, ``schema.table`` or ``database.schema.table``; any part may stand in double quotes.

    :param text: the name as the user wrote it.
    :param fold: what the database does to a name without quotes: lower case, upper case or nothing.
    :return: the exact parts, outermost first.
    :raises SelaRequestError: not a table name. Text that would be more than a name in a statement is none.
    """
    if not re.fullmatch(_NAME, text):
        raise SelaRequestError(
            f'table is {text!r}: expected is a name such as leads, sales.leads or sales."Web leads"'
        )
    parts = re.finditer(_PART, text)
    return tuple(fold(part["plain"]) if part["plain"] else part["quoted"] for part in parts)


def schema_of(table: TableName) -> str | None:
    """The schema in a name, None where it names none."""
    return table[-2] if len(table) > 1 else None


def beside(table: TableName, name: str) -> TableName:
    """The table of another name in the same schema."""
    return (*table[:-1], name)
