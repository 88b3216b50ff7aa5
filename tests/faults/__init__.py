"""Faults on purpose: a real splitsim command is killed, stopped, starved or crowded, and must come through.

`python -m tests.faults --seconds 600` does so at random (docs/faults.md); test_faults.py plays a few.
"""
