"""Text for dbt: a source and a staging model for a table that a load keeps. No connection, no I/O."""

# ruff: noqa: S608 (names are checked)
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from textwrap import indent

from airflow_provider_sela.api.leads import LEAD_FIELDS
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.warehouse.identifiers import TableName, table_name
from airflow_provider_sela.warehouse.metadata_sql import metadata_columns, slug
from airflow_provider_sela.warehouse.tables import DELETED_AT, LOAD_ID, LOADS_TABLE, SYNCED_AT, VALID_TO, Mode

#: By engine: what it makes of a name without quotes, and the schema of a table that is named without one.
ENGINES: Mapping[str, tuple[Callable[[str], str], str | None]] = {
    "duckdb": (str, "main"),
    "mysql": (str, None),
    "postgres": (str.lower, "public"),
    "snowflake": (str.upper, "PUBLIC"),
}
# dbt-mysql is held to dbt 1.7, which refuses the words that dbt has now.
_OLD_DBT = "mysql"
#: Those that the vendor's pages show. The set is open.
STATUSES = (
    "BAD_NUMBER", "CALLBACK_TO_TRANSFER", "CANCELLED", "CLOSED", "CLOSED_INCOMPLETE", "LOST", "NEW", "OPEN",
    "OUT_OF_TERRITORY", "SCHEDULE_COMPLETED", "UNKNOWN",
)  # fmt: skip
# A lead of which it is not known is one that must not be contacted.
_DO_NOT_CONTACT = ("sms_dnc", "call_dnc")
#: Which rows stand for leads as they are now.
_CURRENT = {
    Mode.MERGE: f"{DELETED_AT} is null",
    Mode.REPLACE: f"{DELETED_AT} is null",
    Mode.APPEND: f"{LOAD_ID} = (\n        select load_id from {{loads}} where target = {{target}}"
    " order by started desc limit 1\n    )",
    Mode.HISTORY: f"{VALID_TO} is null",
}
#: What a table of each mode says of ``id``, beside that it is never NULL.
_UNIQUE = {
    Mode.MERGE: ", unique",
    Mode.REPLACE: ", unique",
    Mode.APPEND: "",
    Mode.HISTORY: f", unique: {{config: {{where: {VALID_TO} is null}}}}",
}
_SOURCES = """\
version: 2

sources:
  - name: sela
{place}
    quoting: {{schema: true, identifier: true}}
    tables:
      - name: {name}
        identifier: {identifier}
        description: Leads of Sela, landed by airflow-provider-sela in mode {mode}.
        columns:
          - name: id
            {tests}: [not_null{unique}]
          - name: status
            description: The set is open, so a status that is not named here is a warning.
            {tests}:
              - accepted_values:
{statuses}
                  config: {{severity: warn}}
          - name: {synced_at}
            description: When the read began that brought this version; it moves only with a change.
            {tests}: [not_null]
      - name: {loads}
        identifier: {loads_identifier}
        description: A row for each load, which tells how fresh the leads are even where none has changed.
{freshness}
        columns:
          - name: verdict
            {tests}: [not_null]
"""
_FRESHNESS = """\
loaded_at_field: started
freshness:
  warn_after: {{count: 3, period: hour}}
  error_after: {{count: 1, period: day}}
  filter: {filter}"""
_MODEL = """\
-- The leads that are there now. Of metadata, only the keys that were asked for: it often repeats an address.
with leads as (
    select
        {columns}
    from {leads}
    where {current}
)

select
    {values}
from leads
"""


def sources(engine: str, table: str, mode: Mode) -> str:
    """The file ``sources.yml``: where the tables lie, what holds of them, and when they are stale.

    :param engine: key of :data:`ENGINES`.
    :param table: name as an operator takes it: ``leads``, ``sales.leads``.
    :param mode: the mode that the table is loaded in.
    :raises SelaRequestError: ``table`` is not a table name, or lacks a schema that it needs.
    """
    fold, usual = ENGINES[engine]
    *outer, target = _table(engine, table)
    if not outer:
        if usual is None:
            raise SelaRequestError(f"table is {table!r}: expected is one with its database, as sales.leads")
        outer = [usual]
    place = zip(("schema", "database"), reversed(outer), strict=False)
    statuses = f"values: [{', '.join(STATUSES)}]"
    freshness = _FRESHNESS.format(filter=_yaml(f"target = {_literal(target)}"))
    tests = "tests"
    if engine != _OLD_DBT:
        tests = "data_tests"
        statuses = f"arguments:\n{indent(statuses, '  ')}"
        freshness = f"config:\n{indent(freshness, '  ')}"
    return _SOURCES.format(
        place=indent("\n".join(f"{key}: {_yaml(name)}" for key, name in place), " " * 4),
        name=_name(target),
        identifier=_yaml(target),
        mode=mode,
        tests=tests,
        unique=_UNIQUE[mode],
        statuses=indent(statuses, " " * 18),
        synced_at=SYNCED_AT,
        loads=LOADS_TABLE,
        loads_identifier=_yaml(fold(LOADS_TABLE)),
        freshness=indent(freshness, " " * 8),
    )


def model(engine: str, table: str, mode: Mode, metadata: Iterable[str] = ()) -> str:
    """The staging model: a row for each lead that is there now. Other parameters as in :func:`sources`.

    :param metadata: keys of ``metadata`` that become columns, as ``key`` or ``key:type``, with a type of
        :data:`~.metadata_sql.FORMS`.
    :raises SelaRequestError: what was given is not a table name, a key or a type.
    """
    *_, target = _table(engine, table)
    fields = [*(field.name for field in LEAD_FIELDS if field.name != "metadata"), SYNCED_AT]
    keys = metadata_columns(metadata)
    columns = [*fields, *(f"{key.text(engine)} as {key.name}" for key in keys)]
    values = [f"coalesce({name}, true) as {name}" if name in _DO_NOT_CONTACT else name for name in fields]
    values += [key.value(engine) for key in keys]
    return _MODEL.format(
        columns=",\n        ".join(columns),
        leads=_source(_name(target)),
        current=_CURRENT[mode].format(loads=_source(LOADS_TABLE), target=_literal(target)),
        values=",\n    ".join(values),
    )


def _table(engine: str, table: str) -> TableName:
    if set(table) & set("{}"):
        raise SelaRequestError(f"table is {table!r}: braces are dbt's own")
    return table_name(table, ENGINES[engine][0])


def _name(target: str) -> str:
    """What dbt calls the table, whatever the database does."""
    return slug(target) or "leads"


def _source(name: str) -> str:
    return f"{{{{ source('sela', '{name}') }}}}"


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
