"""Leads on disks: the spool of one task, files that are published, files that tasks share.

May import: ``api``, ``snapshot``, ``privacy``, ``connections`` and what lies below them.
"""
