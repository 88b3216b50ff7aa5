"""Measurements behind the figures of the docs, each a command: `python -m benchmarks.NAME`."""
