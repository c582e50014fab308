"""The systems that are compared, one file each, each run in its own environment.

A module here has a class `System(encoder, reader, place)` with the methods of `tests.benchmarks.worker.Measured`.
"""
