"""Units of rates."""

from __future__ import annotations

import re

# A capital B is bytes to those who are careful, so it is not taken for bits.
_RATE_UNIT = re.compile(r"([kKmMgG]?)(?:[Bb]its?|b)(?:/s|/sec|/second|ps)")
_PER_MBPS = {"": 1e6, "k": 1e3, "m": 1.0, "g": 1e-3}
VALID_UNITS = "bit/s, kbit/s, Mbit/s or Gbit/s"


def units_per_mbps(unit: str) -> float | None:
    """How many of a unit are one Mbit/s; None for what is no known unit of bits.

    kbit/s, Kbits/sec and kbps are the same; MB/s and MBps are bytes and unknown.
    """
    match = _RATE_UNIT.fullmatch(unit)
    return _PER_MBPS[match[1].lower()] if match else None
