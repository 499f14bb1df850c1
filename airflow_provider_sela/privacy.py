"""What of a lead stays out of everything that is written: fields, and keys of ``metadata``.

Applied to a lead before its first byte reaches a disk, and to results without an ``id`` as well.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unicodedata import normalize

from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, UNDOCUMENTED, Kind, canonical_json
from airflow_provider_sela.api.privacy_rules import RULES
from airflow_provider_sela.exceptions import SelaRequestError

Redact = Callable[[Any], Any]

_KINDS = dict(LEAD_FIELDS)


@dataclass(frozen=True)
class Privacy:
    """Rules for what is left out and what is made unreadable.

    The same value always gets the same hash, so that hashed columns still join and count; who does not know
    the salt cannot find a value by trying. ``metadata`` may repeat a field's value under keys of the
    customer's own: say with ``keep_metadata`` or ``drop_metadata`` what of it may be written.

    :param exclude_fields: fields that are left out; their columns become NULL. Not ``id``. ``extra`` stands
        for every field that the API does not document, ``extra.score`` for one of them.
    :param hash_fields: text fields that become 32 hexadecimal digits (HMAC-SHA256, truncated); NULL stays
        NULL.
    :param salt: key of the hash, at least 16 characters; needed with ``hash_fields``.
    :param keep_metadata: the only keys of ``metadata`` to keep, with all that they hold; None (default) keeps
        all. Metadata that is no object becomes NULL, because nobody can tell what is in it.
    :param drop_metadata: keys to leave out of ``metadata`` and of all objects in it, whatever their case and
        however their letters are encoded; metadata that is no object becomes NULL here too.
    :raises SelaRequestError: a rule contradicts another or cannot be applied; the message names it.
    """

    exclude_fields: Collection[str] = ()
    hash_fields: Collection[str] = ()
    salt: str = field(default="", repr=False)
    keep_metadata: Collection[str] | None = None
    drop_metadata: Collection[str] = ()

    def __post_init__(self) -> None:
        for name, read in RULES.items():
            value = getattr(self, name)
            if isinstance(value, str):
                raise SelaRequestError(f"{name} is one text: give a list of names")
            read(name, value)
        if "id" in self.exclude_fields or "id" in self.hash_fields:
            raise SelaRequestError("id is the key of a lead: it can be neither excluded nor hashed")
        for name in self.hash_fields:
            if name == EXTRA.name:
                raise SelaRequestError(f"hash_fields: {name} is no field, name one as {UNDOCUMENTED}score")
            if _KINDS.get(name, Kind.TEXT) is not Kind.TEXT:
                raise SelaRequestError(
                    f"{name} is no text field, so it cannot hold a hash: exclude it instead"
                )
            if self._excluded(name.removeprefix(UNDOCUMENTED)):
                raise SelaRequestError(f"{name} is both excluded and hashed: choose one")
        if self.hash_fields and (not isinstance(self.salt, str) or len(self.salt.strip()) < 16):
            raise SelaRequestError(
                "hash_fields needs a salt of at least 16 characters: put it into the Password of a"
                " connection, and name that in salt_conn_id"
            )
        if self.keep_metadata is not None and self.drop_metadata:
            raise SelaRequestError("metadata keys are both kept and dropped: choose one")

    def __bool__(self) -> bool:
        return bool(
            self.exclude_fields or self.hash_fields or self.drop_metadata or self.keep_metadata is not None
        )

    @property
    def rules(self) -> dict[str, Any]:
        """The rules as plain data, the salt among them: the same for the same outcome."""
        return {
            name: sorted(value) if isinstance(value, Collection) and not isinstance(value, str) else value
            for name, value in vars(self).items()
        }

    def __call__(self, item: Any) -> Any:
        """A copy of a lead without what must not be written; anything else than an object becomes None."""
        if not self:
            return item
        if not isinstance(item, Mapping):
            return None
        kept = {name: value for name, value in item.items() if not self._excluded(name)}
        for rule in self.hash_fields:
            name = rule.removeprefix(UNDOCUMENTED)
            if kept.get(name) is not None:
                kept[name] = self.digest(kept[name])
        if kept.get("metadata") is not None:
            kept["metadata"] = self._metadata(kept["metadata"])
        return kept

    def digest(self, value: Any) -> str:
        """The hash that stands for a value."""
        text = value if isinstance(value, str) else canonical_json(value)
        return hmac.digest(self.salt.encode(), text.encode(errors="surrogatepass"), "sha256")[:16].hex()

    def _excluded(self, name: str) -> bool:
        if name in _KINDS:
            return name in self.exclude_fields
        return EXTRA.name in self.exclude_fields or UNDOCUMENTED + name in self.exclude_fields

    def _metadata(self, metadata: Any) -> Any:
        if self.keep_metadata is None and not self.drop_metadata:
            return metadata
        if not isinstance(metadata, Mapping):
            return None
        if self.keep_metadata is not None:
            return {key: value for key, value in metadata.items() if key in self.keep_metadata}
        with suppress(RecursionError):
            return _without(metadata, {_folded(key) for key in self.drop_metadata})
        return None


def _without(value: Any, dropped: Collection[str]) -> Any:
    """A copy without some keys, at every depth."""
    if isinstance(value, Mapping):
        return {key: _without(kept, dropped) for key, kept in value.items() if _folded(key) not in dropped}
    return [_without(item, dropped) for item in value] if isinstance(value, list) else value


def _keys(value: Any) -> Iterator[str]:
    """Keys at every depth, as :func:`_folded`."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield from map(_folded, value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


@lru_cache(maxsize=1024)
def _folded(key: str) -> str:
    """The same for all spellings of a key: forms differ in them, and one that is missed is written."""
    return normalize("NFKC", key).casefold().strip()


class Redaction:
    """Rules at work in one read. It notes which names it met, since a misspelt one meets none.

    Only names that nobody can check beforehand: keys of ``metadata``, and fields that are not documented.

    :param privacy: the rules.
    """

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy
        self._names = [
            (option, name)
            for option, value in privacy.rules.items()
            if option != "salt"
            for name in value or ()
            if option.endswith("metadata") or name.startswith(UNDOCUMENTED)
        ]
        self._met: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._privacy)

    def __call__(self, item: Any) -> Any:
        """What :class:`Privacy` leaves of a lead."""
        if len(self._met) < len(self._names) and isinstance(item, Mapping):
            self._met.update(self._found(item))
        return self._privacy(item)

    @property
    def met(self) -> list[int]:
        """Places of the names that were met, for another task with the same rules."""
        return sorted(self._met)

    def join(self, met: Iterable[int]) -> None:
        """Take what another task met with the same rules."""
        self._met.update(met)

    def remarks(self) -> Iterator[str]:
        """A sentence for each option with a name that was not met; names and values stay out of it."""
        every = Counter(option for option, _ in self._names)
        unmet = Counter(option for place, (option, _) in enumerate(self._names) if place not in self._met)
        for option, number in unmet.items():
            yield f"{number} of {every[option]} names in {option} met nothing in any lead: check the spelling"

    def _found(self, lead: Mapping[str, Any]) -> Iterator[int]:
        metadata = lead.get("metadata")
        keys = metadata if isinstance(metadata, Mapping) else {}
        dropped = set(_keys(keys)) if self._privacy.drop_metadata else ()
        for place, (option, name) in enumerate(self._names):
            if option == "drop_metadata":
                found = _folded(name) in dropped
            elif option == "keep_metadata":
                found = name in keys
            else:
                found = name.removeprefix(UNDOCUMENTED) in lead
            if place not in self._met and found:
                yield place
