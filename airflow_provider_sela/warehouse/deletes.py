"""Which leads of the target a read did not show: deleted at Sela, or missed."""

# ruff: noqa: S608 (names are checked, values are parameters)
from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from airflow_provider_sela.api.leads import Lead
from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.storage.spool import Spool
from airflow_provider_sela.warehouse.engine import Engine
from airflow_provider_sela.warehouse.tables import Mode

#: Asks Sela for the leads with one value: the name of a field, and the value.
FindLeads = Callable[[str, str], Iterable[Lead]]
#: Fields that a lead can be asked for by, the most selective first.
_ASKED_BY = ("external_id", "email", "phone_number")
# Of one query: few round trips, and a statement of some kilobytes.
_BATCH_LEADS = 500
# Enough for every lead of one person; a filter that gives more is none.
_LONGEST_ANSWER_LEADS = 1000
# Leads that are asked for where nothing is to be marked: a count that is too low hides more than one.
_CONFIRMED_LEADS = 100


class Missing(NamedTuple):
    """Leads that the target has and a read did not show.

    :param deleted_ids: ids of those that Sela does not know any more.
    :param known: those that Sela gives when it is asked for them.
    """

    deleted_ids: list[int]
    known: list[Lead]


def refuse_many(deletes: int, total: int, cap: int | float) -> None:
    """Compare what would go with what may go.

    :param total: leads in the table, of which the deletes are a part.
    :param cap: a number, or a share of the total.
    :raises SelaTargetError: more would go.
    """
    allowed = math.ceil(total * cap) if isinstance(cap, float) else cap
    if deletes > allowed:
        raise SelaTargetError(
            f"{deletes} of {total} leads in the table are not at Sela any more, max_deletes allows {allowed}:"
            " nothing was written. Check that the connection is of the right account and the filters are"
            " those of the table; if the leads were deleted on purpose, raise max_deletes for one run"
        )


def find_missing(
    engine: Engine,
    mode: Mode,
    spool: Spool,
    find_leads: FindLeads,
    *,
    cap: int | float | None,
    hidden: Collection[str],
) -> Missing:
    """Ask Sela for the leads that are in the target and were not read.

    To be called with the leads of an unfiltered read that leaves no doubt only. Each candidate that can be
    asked for is asked for once more; the answer is checked here, because a server may ignore a filter.
    ``GET /api/leads/{id}/`` is not used: it is not part of the documented contract, and a 404 from it could
    mean anything.

    :param engine: connected engine.
    :param spool: leads of the read.
    :param cap: more candidates than this are refused: a number, or a share of the leads in the target. None:
        the first 100 are asked for, and none counts as deleted.
    :param hidden: fields whose columns do not hold the value that Sela knows.
    :raises SelaTargetError: too many candidates.
    """
    candidates, total = [], 0
    for lead_id in engine.live_ids(mode):
        total += 1
        if lead_id not in spool:
            candidates.append(lead_id)
    if cap is None:
        candidates = sorted(candidates)[:_CONFIRMED_LEADS]
    else:
        refuse_many(len(candidates), total, cap)
    askable = [name for name in _ASKED_BY if name not in hidden]
    deleted_ids, known = [], []
    for lead_id, values in list(_known(engine, mode, candidates, askable)):
        lead = _ask(find_leads, lead_id, values)
        if lead is not None:
            known.append(lead)
        elif cap is not None:
            deleted_ids.append(lead_id)
    return Missing(deleted_ids, known)


def _known(
    engine: Engine, mode: Mode, ids: list[int], names: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    dialect = engine.dialect
    columns = ", ".join(map(dialect.column, ["id", *names]))
    remaining = iter(ids)
    while batch := list(islice(remaining, _BATCH_LEADS)):
        rows = engine.select(
            f"SELECT {columns} FROM {dialect.table(engine.target)} WHERE {dialect.not_deleted(mode)}"
            f" AND {dialect.column('id')} IN ({dialect.placeholders(len(batch))})",
            batch,
        )
        for lead_id, *values in rows:
            yield lead_id, dict(zip(names, values, strict=True))


def _ask(find_leads: FindLeads, lead_id: int, values: dict[str, Any]) -> Lead | None:
    """Ask Sela for a lead; where it cannot be asked, the proof that the read was complete stands alone."""
    name = next((name for name, value in values.items() if value and value.strip()), None)
    if name is None:
        return None
    wanted = str(values[name])
    for lead in islice(find_leads(name, wanted), _LONGEST_ANSWER_LEADS):
        if lead["id"] == lead_id:
            return lead
        if wanted.casefold() not in str(dict(lead).get(name)).casefold():
            return None
    return None
