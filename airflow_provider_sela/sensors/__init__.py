"""The sensor that waits for a lead.

May import: ``triggers``, ``hooks`` and what lies below them.
"""
