"""The connection to Sela, as Airflow loads it.

May import: ``reading``, ``http`` and what lies below them.
"""
