"""What the catalogue of a database says of tables."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_sela.warehouse.identifiers import TableName


class Column(NamedTuple):
    """A column that a table has.

    :param type: as the database calls it, lower case; empty where it cannot be asked.
    :param nullable: whether it may hold NULL.
    :param filled: whether the database fills it when a new row leaves it out.
    """

    type: str
    nullable: bool = True
    filled: bool = True


#: Columns of tables; None for one that is missing.
Existing = dict[TableName, dict[str, Column] | None]
