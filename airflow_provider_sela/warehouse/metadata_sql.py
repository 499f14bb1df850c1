"""Keys of ``metadata`` as typed columns, as the SQL of each database spells it. No connection, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from airflow_provider_sela.exceptions import SelaRequestError

_MONTH, _DAY = "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"
_HOUR, _SIXTY = "([01][0-9]|2[0-3])", "[0-5][0-9]"
_OFFSET = "(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
#: What a key can be read as, and the form that its text must have; any other text gives NULL.
FORMS: Mapping[str, str] = {
    "text": "",
    "integer": "-?[0-9]{1,18}",
    "number": "-?[0-9]{1,20}([.][0-9]{1,9})?",
    "boolean": "(true|false)",
    # With an offset, as the documented fields of a lead have it.
    "timestamp": f"[0-9]{{4}}-{_MONTH}-{_DAY}T{_HOUR}:{_SIXTY}:{_SIXTY}([.][0-9]{{1,6}})?{_OFFSET}",
    # 02/28/2025 15:09, as in the vendor's example of metadata, where nothing tells the zone.
    "us_timestamp": f"{_MONTH}/{_DAY}/[0-9]{{4}} {_HOUR}:{_SIXTY}",
}
# What would end a literal of SQL or a path into JSON, or be read as Jinja.
_KEY = re.compile(r"""[^'"\\{}\x00-\x1f\x7f]{1,128}""")


class Spelling(NamedTuple):
    """How a database spells it; each is a format.

    :param key: a key as text.
    :param matches: whether a text has a form from its beginning to its end.
    :param values: what a text that has its form stands for, by type.
    """

    key: str
    matches: str
    values: Mapping[str, str]


_VALUES = {
    "integer": "cast({0} as bigint)",
    "number": "cast({0} as decimal(38, 9))",
    "boolean": "{0} = 'true'",
}
# A form cannot tell that February has no 30th: a plain cast would stop the model, or give the 2nd of March.
_SPELLINGS: Mapping[str, Spelling] = {
    "duckdb": Spelling(
        key="""metadata ->> '$."{0}"'""",
        matches="regexp_full_match({0}, '{1}')",
        values={
            **_VALUES,
            "timestamp": "try_cast({0} as timestamptz)",
            "us_timestamp": "try_strptime({0}, '%m/%d/%Y %H:%M')",
        },
    ),
    "mysql": Spelling(
        # Of JSON's null, json_unquote alone makes the text "null".
        key="""case when json_type(json_extract(metadata, '$."{0}"')) <> 'NULL'"""
        """ then json_unquote(json_extract(metadata, '$."{0}"')) end""",
        matches="{0} regexp '^{1}$'",
        values={
            **_VALUES,
            "integer": "cast({0} as signed)",
            "timestamp": "case when day(last_day(concat(left({0}, 7), '-01'))) >= substr({0}, 9, 2) then"
            " convert_tz(cast(left({0}, length({0}) - if(right({0}, 1) = 'Z', 1, 6)) as datetime(6)),"
            " right(replace({0}, 'Z', '+00:00'), 6), '+00:00') end",
            "us_timestamp": "case when day(last_day(concat(substr({0}, 7, 4), '-', left({0}, 2), '-01')))"
            " >= substr({0}, 4, 2) then str_to_date({0}, '%m/%d/%Y %H:%i') end",
        },
    ),
    "postgres": Spelling(
        key="metadata ->> '{0}'",
        matches="{0} ~ '^{1}$'",
        # A path into JSON can be silent where a cast cannot.
        values={
            **_VALUES,
            "timestamp": "(jsonb_path_query_first(to_jsonb(replace({0}, 'Z', '+00:00')), '$.datetime()',"
            " '{{}}', true) #>> '{{}}')::timestamptz",
            "us_timestamp": "(jsonb_path_query_first(to_jsonb({0}), '$.datetime(\"MM/DD/YYYY HH24:MI\")',"
            " '{{}}', true) #>> '{{}}')::timestamp",
        },
    ),
    "snowflake": Spelling(
        key='metadata:"{0}"::varchar',
        matches="regexp_like({0}, '{1}')",
        values={
            **_VALUES,
            "timestamp": "try_to_timestamp_tz({0})",
            "us_timestamp": "try_to_timestamp_ntz({0}, 'MM/DD/YYYY HH24:MI')",
        },
    ),
}


class MetadataColumn(NamedTuple):
    """A column made of a key.

    :param name: ``metadata_`` and the key, with an underscore for what needs quotes.
    :param kind: key of :data:`FORMS`.
    """

    name: str
    key: str
    kind: str

    def text(self, engine: str) -> str:
        """The key as text, of a table with the column ``metadata``."""
        return _SPELLINGS[engine].key.format(self.key)

    def value(self, engine: str) -> str:
        """What that text stands for, selected from where it has this column's name."""
        if self.kind == "text":
            return self.name
        spelling = _SPELLINGS[engine]
        matches = spelling.matches.format(self.name, FORMS[self.kind])
        value = spelling.values[self.kind].format(self.name)
        return f"case when {matches}\n        then {value} end as {self.name}"


def metadata_columns(wanted: Iterable[str]) -> list[MetadataColumn]:
    """Read ``key`` or ``key:type``.

    :raises SelaRequestError: a key or a type is none, or two keys give the same column.
    """
    columns: dict[str, MetadataColumn] = {}
    for text in wanted:
        key, colon, kind = text.rpartition(":")
        key, kind = (key, kind) if colon else (text, "text")
        name = f"metadata_{slug(key)}"
        if kind not in FORMS:
            raise SelaRequestError(f"metadata is {text!r}: the types are {', '.join(FORMS)}")
        if not _KEY.fullmatch(key) or not slug(key):
            raise SelaRequestError(
                f"metadata is {text!r}: expected is a key with a letter or digit of ASCII, and without"
                " quotes, backslashes and braces"
            )
        if name in columns:
            raise SelaRequestError(
                f"metadata is {text!r}: its column {name} is that of {columns[name].key!r}"
            )
        columns[name] = MetadataColumn(name, key, kind)
    return list(columns.values())


def slug(name: str) -> str:
    """A name that needs no quotes in any database; may be empty."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
