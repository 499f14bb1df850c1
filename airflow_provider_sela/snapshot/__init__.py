"""The verified snapshot: a read of a page-numbered list that moves, with a proof that no lead was missed.

Modules, each importing only from those above it::

    windows         what is asked and what comes back
    orders          in which order the server sorts: hypotheses and what contradicts them
    plan            which windows to ask for
    coverage        stretches of an order that windows hold, and gaps between them
    reach           how far from the newest end a read of what is new goes
    floors          up to which key a list sorted by modified_time stands still
    proof           the argument, put together
    contradictions  leads that testify against an order
    repair          where to read again so that a gap closes
    extent          how long the list is: what is counted, and what is shown
    doubts          what no order can mend: caches, copies that lag, pages that leave leads out
    record          all that a read has seen
    anchor          what a load leaves to the next one, so that it may read only what is new
    attempts        the best proof of each order, by how late a change may show
    closing         from the last of the rest to a proof, or to the reason why there is none
    verdict         the outcome and its spelling
    passes          whole reads, where nothing can be proven
    reading         the dialogue
    descent         where to read from the newest end down
    samples         where to look inside the list for another order
    partial         the dialogue of a read of what is new
    parts           the dialogue over processes that share no clock

No I/O, no clock, no Airflow. May import: ``api`` and what lies below it.
"""
