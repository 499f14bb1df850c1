"""What the Sela API says: requests, pages and leads. No I/O, no Airflow.

May import: ``exceptions``, ``metrics``.
"""
