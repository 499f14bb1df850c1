"""One HTTP request, sent by ``requests`` for tasks and by ``httpx`` for triggers.

The two transports do not know each other: what both need lies in modules below them. May import: ``api``,
``settings`` and what lies below them.
"""
