"""What stands in a row for the bytes that its lead came in, so that the same bytes are not read again.

The hash of a row tells whether its content is another one, and costs making the row. A digest of the bytes is
made in a tenth of the time. It proves nothing where it differs: the same content may come in other bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from airflow_provider_sela.api.content import digest, digester
from airflow_provider_sela.api.leads import LEAD_FIELDS

# To be changed with every rule by which a row is made of a lead: digests of before then stand for nothing.
RULES = "1"
#: Characters that stand for the rules and the bytes.
LENGTH = 33
#: Characters behind them with which the row's hash begins: whoever writes a row without its digest changes
#: the hash, or else the digest would stand for what the row held before.
HASH_LENGTH = 8
# What is told behind them is of some names; the column may be short.
_LONGEST = 250
_BLOCK_ROWS = 4096


class Remarks(NamedTuple):
    """What was told of leads when they became rows.

    :param nulled: how many malformed values each column had.
    :param unknown: names of fields that are not documented.
    """

    nulled: Counter[str]
    unknown: set[str]


def lead_digester(dialect: object) -> Callable[[bytes], str]:
    """Make what makes the digest of a lead.

    :param dialect: what adapts rows to its own limits.
    """
    # With another documented field, every row is another one.
    return digester(digest(f"{type(dialect).__name__} {LEAD_FIELDS}".encode()).encode(), RULES)


def row_digest(digest: str, content_hash: str) -> str:
    """What a row holds of whose lead nothing is told: the digest and the beginning of its hash."""
    return digest + content_hash[:HASH_LENGTH]


def telling_digest(plain: str, nulled: Iterable[str], unknown: Iterable[str]) -> str | None:
    """The same with what is told of the lead.

    :param plain: from :func:`row_digest`.
    :return: None where that does not fit, so that the lead becomes a row each time.
    """
    if not all(name.isascii() and name.isidentifier() for name in unknown):
        return None
    names = " ".join([*nulled, *("+" + name for name in unknown)])
    whole = plain + names
    return whole if len(whole) <= _LONGEST else None


def digest_blocks(rows: Iterator[tuple[int, int, str]]) -> Iterator[bytes]:
    """Places, ids and digests as lines of CSV, many at a time, without the last line feed."""
    while block := [f"{place},{key},{digest}" for place, key, digest in islice(rows, _BLOCK_ROWS)]:
        yield "\n".join(block).encode()


def remarks(told: Iterable[tuple[str, int]]) -> Remarks:
    """What the digests of rows tell.

    :param told: ends of digests, each with the number of leads that have it.
    """
    found = Remarks(Counter(), set())
    for names, leads in told:
        for name in names.split():
            if name.startswith("+"):
                found.unknown.add(name[1:])
            else:
                found.nulled[name] += leads
    return found
