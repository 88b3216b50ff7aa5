"""What a radio can report, so that anything else is a placeholder or another unit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SIGNAL_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        # Wider than what is reported (3GPP TS 38.133 section 10.1: SS-RSRP -156 to -31 dBm, SS-RSRQ -43 to
        # 20 dB, SS-SINR -23 to 40 dB), because loggers convert in their own ways.
        "rsrp_dbm": (-160.0, -20.0),
        "rsrq_db": (-50.0, 25.0),
        "snr_db": (-40.0, 60.0),
        "cqi": (0.0, 15.0),
        # The fastest trains.
        "speed_mps": (0.0, 170.0),
    }
)
"""Smallest and largest value of each signal that is believed."""
