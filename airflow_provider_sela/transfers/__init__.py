"""Leads into a table of the user's own database.

May import: ``operators``, ``lineage``, ``warehouse`` and what lies below them.
"""
