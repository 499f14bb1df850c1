"""Ways to read leads and to load them, each a program of its own that prints what it took as JSON.

Those of :mod:`benchmarks.ways.peers` know nothing of this package and run where it is not installed.
"""
