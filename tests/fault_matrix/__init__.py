"""Every fault on every surface, made to happen for real: what the result is, and what it costs.

- :mod:`.broken`: the faults, each on real sockets.
- :mod:`.surfaces`: the ways in which this package is used.
- :mod:`.expected`: what must come of each fault on each surface, one line a fault.
- :mod:`.table`: the same as measured, written into ``docs/faults.md``.
"""
