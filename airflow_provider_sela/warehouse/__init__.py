"""Leads into one SQL table of the user's own database.

:mod:`.registry` chooses the engine of a connection. A :class:`~.engine.Engine` is the connection and the
transaction, its :class:`~.dialect.Dialect` what the database calls things. :mod:`.landing` is one load,
:mod:`.schema` the care for tables that exist, :mod:`.deletes` the question which leads are gone.

A new database is a module with both classes, such as :mod:`.sqlite`, and a line in the registry. It inherits
:class:`~.staged.StagedEngine`, which loads by sets. May import: ``storage``, ``snapshot`` and what lies below
them.
"""
