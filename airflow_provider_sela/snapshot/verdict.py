"""What a read can say about its completeness, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Strength(Enum):
    """How strong a verdict is, strongest first."""

    ATOMIC = "ATOMIC"
    PROVEN = "PROVEN"
    CONVERGED = "CONVERGED"
    UNVERIFIED = "UNVERIFIED"


@dataclass(frozen=True)
class Verdict:
    """The end of a read; ``str()`` is its one spelling in results, logs and audit rows.

    * ``ATOMIC``: one response held the whole list.
    * ``PROVEN(-modified_time)``: no lead that existed throughout is missing, given that the server sorts by
      the field in brackets (``-`` is newest first, as in Django). The order was observed in every response;
      from outside it cannot be proved.
    * ``CONVERGED(3)``: the third whole read showed no lead that the first two had missed. Not a proof.
    * ``UNVERIFIED``: even the last whole read showed leads that those before it had missed, or the server
      counts leads that it never shows.

    :param strength: how much it says.
    :param order: order under which the read is proven, empty for the others.
    :param passes: whole reads made.
    :param reason: why the verdict is not PROVEN, or under which condition it is; else empty.
    """

    strength: Strength
    order: str = ""
    passes: int = 1
    reason: str = ""

    @property
    def proven(self) -> bool:
        """Whether a lead's absence means something: only then may a delete be inferred."""
        return self.strength in (Strength.ATOMIC, Strength.PROVEN)

    def __str__(self) -> str:
        if self.strength is Strength.PROVEN:
            return f"PROVEN({self.order})"
        if self.strength is Strength.CONVERGED:
            return f"CONVERGED({self.passes})"
        return self.strength.name
