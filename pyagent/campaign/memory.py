"""How much memory a run took."""

from __future__ import annotations

import resource
import sys

# getrusage(2): kibibytes on Linux, bytes on macOS.
_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def peak_memory_bytes() -> int:
    """Most resident memory of this process so far.

    The simulators are not in it, and what the kernel tells of ended children can't say: a child counts what
    its parent held when it was forked.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_BYTES
