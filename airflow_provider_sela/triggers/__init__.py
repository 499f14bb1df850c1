"""What waits in the triggerer: for one lead, and for new leads that start a DAG.

May import: ``hooks``, ``http`` and what lies below them.
"""
