"""Which fields leads have, against those that are documented: a vendor renames fields without notice."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_provider_sela.api.leads import LEAD_FIELDS
from airflow_provider_sela.api.raw import RawLead

# A name that is written by a program. Whatever else stands in its place may be personal data.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_OTHER_NAME = "(no plain name)"
# Names that are kept: whoever sends more sends values for names.
_MOST_NAMES = 100


class FieldNames:
    """The names of the fields of many leads, as they come.

    :ivar looking: whether some documented field was not seen yet. After the first lead it mostly was.
    """

    def __init__(self) -> None:
        self.looking = True
        self._seen = False
        self._missing = {field.name: b'"%b"' % field.name.encode() for field in LEAD_FIELDS}
        self._unknown: set[str] = set()

    @property
    def missing(self) -> list[str]:
        """Documented fields that no lead has; none where there is no lead."""
        return list(self._missing) if self._seen else []

    @property
    def unknown(self) -> list[str]:
        """Fields that are not documented, of leads that were made into rows."""
        return sorted(self._unknown)

    def look(self, lead: RawLead) -> None:
        """See which documented fields a lead has."""
        self._seen = True
        # A key may be written with escapes, and a value may look like a key.
        if lead.escapes or any(quoted in lead.json for quoted in self._missing.values()):
            for name in lead.decode():
                self._missing.pop(name, None)
            self.looking = bool(self._missing)

    def add_unknown(self, names: Iterable[str]) -> None:
        """Take names of fields that are not documented."""
        for name in names:
            if len(self._unknown) < _MOST_NAMES:
                self._unknown.add(name if _PLAIN_NAME.fullmatch(name) else _OTHER_NAME)
