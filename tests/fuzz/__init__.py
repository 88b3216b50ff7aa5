"""Damaged input for every reader of bytes from outside: `python -m tests.fuzz`, see docs/fuzzing.md."""
