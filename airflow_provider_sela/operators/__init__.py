"""Operators that ask for leads: into XCom, into files, in parts.

May import: ``hooks``, ``lineage`` and what lies below them.
"""
