"""The verified snapshot: a read of a page-numbered list that moves, with a proof that no lead was missed.

Rooms, each importing only from those above it::

    pages       what is asked and what comes back
    orders      in which order the server sorts: hypotheses and what contradicts them
    plan        which windows to ask for
    coverage    stretches of an order that windows hold, and gaps between them
    floors      up to which key a list sorted by modified_time stands still
    witness     leads that testify against an order
    proof       the argument, put together
    repair      where to read again so that a gap closes
    record      all that a read has seen
    closing     from the spread to a proof, or to the reason why there is none
    passes      whole reads, where nothing can be proven
    verdict     the outcome and its spelling
    reading     the dialogue
    spreading   the same dialogue over processes that share no clock

No I/O, no clock, no Airflow.
"""

from airflow_provider_sela.snapshot.orders import observed_orders
from airflow_provider_sela.snapshot.parts import OtherReadingError, resume, split_into_parts
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.verdict import Stats, Strength, Verdict
from airflow_provider_sela.snapshot.windows import Entry, Response, Window

__all__ = [
    "Entry",
    "OtherReadingError",
    "Reading",
    "Response",
    "Stats",
    "Strength",
    "Verdict",
    "Window",
    "observed_orders",
    "resume",
    "split_into_parts",
]  # fmt: skip
