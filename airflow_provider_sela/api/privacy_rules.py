"""Privacy rules as parameters: how each is read, before a lead is there to apply them to."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_sela.api.parameters import Reader, optional, texts
from airflow_provider_sela.exceptions import SelaRequestError


def field_names(name: str, value: object) -> list[str]:
    """Read names of fields: documented ones, ``extra``, or ``extra.score`` for one that is not documented.

    :param name: of the parameter, for the message.
    :raises SelaRequestError: a field is not documented; a misspelt one would be written in the clear.
    """
    found = texts(name, value)
    if found:
        _check_documented(name, found)
    return found


#: How each rule is read.
RULES: dict[str, Reader] = {
    "exclude_fields": field_names,
    "hash_fields": field_names,
    "keep_metadata": optional(texts),
    "drop_metadata": texts,
}


def _check_documented(name: str, found: Iterable[str]) -> None:
    # Most tasks name no field, and DAG files are parsed every few seconds.
    from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, UNDOCUMENTED

    documented = [field.name for field in LEAD_FIELDS]
    for wanted in found:
        key = wanted.removeprefix(UNDOCUMENTED)
        if key in documented and key != wanted:
            raise SelaRequestError(f"{name}: the API documents {key}, so it is written {key}, not {wanted}")
        if key == wanted and wanted not in (*documented, EXTRA.name):
            raise SelaRequestError(
                f"{name}: no documented field is called {wanted!r}, the nearest is"
                f" {_nearest(wanted, documented)}; a field that the API does not document is written"
                f" {UNDOCUMENTED}{wanted}"
            )


def _nearest(name: str, documented: Iterable[str]) -> str:
    # Needed by nobody whose names are right.
    from difflib import get_close_matches

    return get_close_matches(name.lower(), [*documented], n=1, cutoff=0)[0]
