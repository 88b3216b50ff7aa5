"""Readers of recorded and generated traces: where nodes move and what their radio does."""
