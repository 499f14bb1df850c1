"""Lines that are made of leads while the next answers are waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from airflow_provider_sela.api.raw import RawLead
from airflow_provider_sela.exceptions import SelaResponseError
from airflow_provider_sela.storage.spool import Encoder, Tell

# Of leads whose lines are made ahead, at most: memory holds both until they are asked for.
_MOST_BYTES = 8 << 20


class LinesAhead:
    """An encoder that may have made a line before it is asked for it.

    A lead is known again by its bytes, so that no line is of another version of it.

    :param encoder: makes the lines.
    :param watch: is told of each lead that comes.
    :param most_bytes: of leads whose lines are made ahead.
    """

    def __init__(
        self,
        encoder: Encoder,
        watch: Callable[[RawLead], object] | None = None,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._encoder = encoder
        self._watch = watch
        self._left = most_bytes
        self._coming = deque[RawLead]()
        self._made: dict[bytes, tuple[bytes, list[tuple[Iterable[str], Iterable[str]]]]] = {}

    def __call__(self, lead: RawLead, tell: Tell) -> bytes:
        made = self._made.pop(lead.json, None)
        if made is None:
            return self._encoder(lead, tell)
        line, told = made
        for nulled, unknown in told:
            tell(nulled, unknown)
        return line

    def watch(self, lead: RawLead) -> None:
        """Take a lead that comes, of which a line will be wanted."""
        if self._watch:
            self._watch(lead)
        if self._left > 0:
            self._left -= len(lead.json)
            self._coming.append(lead)

    def make(self) -> None:
        """Make lines of the leads that have come."""
        while self._coming:
            lead = self._coming.popleft()
            if lead.json not in self._made:
                # It fails where its line is asked for, whose caller keeps leads out of messages.
                with suppress(SelaResponseError, ValueError, RecursionError):
                    self._make(lead)

    def _make(self, lead: RawLead) -> None:
        told: list[tuple[Iterable[str], Iterable[str]]] = []
        line = self._encoder(lead, lambda nulled, unknown: told.append((nulled, unknown)))
        self._made[lead.json] = line, told
