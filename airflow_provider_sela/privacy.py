"""What of a lead stays out of everything that is written: fields, and keys of ``metadata``.

Applied to a lead before its first byte reaches a disk, and to results without an ``id`` as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_sela.api.leads import EXTRA, LEAD_FIELDS, Kind, canonical_json
from airflow_provider_sela.exceptions import SelaRequestError

Redact = Callable[[Any], Any]

_KINDS = dict(LEAD_FIELDS)


@dataclass(frozen=True)
class Privacy:
    """Rules for what is left out and what is made unreadable.

    The same value always gets the same hash, so that hashed columns still join and count; who does not know
    the salt cannot find a value by trying. ``metadata`` may repeat a field's value under keys of the
    customer's own: say with ``keep_metadata`` or ``drop_metadata`` what of it may be written.

    :param exclude: fields that are left out; their columns become NULL. Not ``id``. ``extra`` stands for
        every field that the API does not document.
    :param hashed: text fields that become 32 hexadecimal digits (HMAC-SHA256, truncated); NULL stays NULL.
    :param salt: key of the hash, at least 16 characters; needed with ``hashed``.
    :param keep_metadata: the only keys of ``metadata`` to keep; None (default) keeps all. Metadata that is no
        object becomes NULL, because nobody can tell what is in it.
    :param drop_metadata: keys of ``metadata`` to leave out; metadata that is no object becomes NULL here too.
    :raises SelaRequestError: a rule contradicts another or cannot be applied; the message names it.
    """

    exclude: Collection[str] = ()
    hashed: Collection[str] = ()
    salt: str = field(default="", repr=False)
    keep_metadata: Collection[str] | None = None
    drop_metadata: Collection[str] = ()

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, str) and name != "salt":
                raise SelaRequestError(f"{name} is one text: give a list of names")
        if "id" in self.exclude or "id" in self.hashed:
            raise SelaRequestError("id is the key of a lead: it can be neither excluded nor hashed")
        for name in self.hashed:
            if _KINDS.get(name, Kind.TEXT) is not Kind.TEXT:
                raise SelaRequestError(
                    f"{name} is no text field, so it cannot hold a hash: exclude it instead"
                )
            if name in self.exclude:
                raise SelaRequestError(f"{name} is both excluded and hashed: choose one")
        if self.hashed and len(self.salt) < 16:
            raise SelaRequestError(
                "hashing needs a salt of at least 16 characters: put it into the Password of a connection"
            )
        if self.keep_metadata is not None and self.drop_metadata:
            raise SelaRequestError("metadata keys are both kept and dropped: choose one")

    def __bool__(self) -> bool:
        return bool(self.exclude or self.hashed or self.drop_metadata or self.keep_metadata is not None)

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
        for name in self.hashed:
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
        return name in self.exclude or (name not in _KINDS and EXTRA.name in self.exclude)

    def _metadata(self, metadata: Any) -> Any:
        if self.keep_metadata is None and not self.drop_metadata:
            return metadata
        if not isinstance(metadata, Mapping):
            return None
        if self.keep_metadata is not None:
            return {key: value for key, value in metadata.items() if key in self.keep_metadata}
        return {key: value for key, value in metadata.items() if key not in self.drop_metadata}
