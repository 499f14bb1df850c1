"""One read, verified or plain: its threads, its parts and its verdict.

May import: ``http``, ``storage``, ``snapshot`` and what lies below them.
"""
