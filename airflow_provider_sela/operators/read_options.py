"""How much of the list a load reads: the parameters, and from where it may go on."""

from __future__ import annotations

from collections.abc import Set
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sela.exceptions import SelaRequestError

if TYPE_CHECKING:
    from airflow_provider_sela.reading.continuation import Continuation, Judge
    from airflow_provider_sela.snapshot.anchor import Anchor
    from airflow_provider_sela.warehouse.catalogue import Existing
    from airflow_provider_sela.warehouse.engine import Engine
    from airflow_provider_sela.warehouse.opening import Opening
    from airflow_provider_sela.warehouse.tables import Mode, Source

#: Modes of a load that take what was not read for gone, or leave it out.
WHOLE_MODES = ("replace", "append")
ReadName = Literal["full", "changed", "new"]
LOOKBACK = timedelta(minutes=10)
FULL_EVERY = timedelta(days=1)


def check_read(read: Any, *, mode: str, absence: str, full_every: Any, parts: Any) -> None:
    """Refuse what a read of what is new does not go with.

    :param absence: the parameter by which what was not read is asked for; empty where there is none.
    :raises SelaRequestError: the message names the parameter.
    """
    if read not in ("changed", "new"):
        return
    if mode in WHOLE_MODES:
        raise SelaRequestError(
            f"read={read!r} goes with the modes merge and history, not with {mode}: what was not read would"
            " be taken for gone, or would be missing. Set read='full'"
        )
    if absence and full_every is None:
        raise SelaRequestError(
            f"{absence} needs reads of everything, and read={read!r} with full_every=None makes none while"
            " nothing forces it: give full_every a time"
        )
    if parts is not None:
        raise SelaRequestError(f"parts are of everything: they do not go with read={read!r}")


def continuation_of(
    engine: Engine,
    mode: Mode,
    source: Source,
    asked: str,
    existing: Existing,
    *,
    read: str,
    lookback: timedelta,
    full_every: timedelta | None,
    opening: Opening,
) -> Continuation:
    """From where a load goes on.

    :param engine: connected engine.
    :param asked: stands for the filters and privacy options.
    :param existing: the target and the tables beside it.
    :param opening: of the engine, once the read has ended; it stays open where nothing more is to be read.
    """
    from airflow_provider_sela.reading.continuation import continuation_from
    from airflow_provider_sela.warehouse.anchors import find_anchor, held_ids
    from airflow_provider_sela.warehouse.failures import quoted, scrubbed

    def held(ids: Set[int], judge: Judge) -> Set[int]:
        try:
            opening.open()
            found = scrubbed(lambda: held_ids(engine, mode, ids))
            judge(*found)
        except BaseException:
            opening.close()
            raise
        return found[0]

    def find() -> tuple[Anchor | None, str]:
        return find_anchor(engine, source, asked, existing)

    found = (None, "") if read == "full" else quoted(find, "the earlier loads cannot be read")
    return continuation_from(read, *found, lookback=lookback, full_every=full_every, held=held)
