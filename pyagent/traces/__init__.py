"""Recorded traces: where nodes moved, what links did."""
