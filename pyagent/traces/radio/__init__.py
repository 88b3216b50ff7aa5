"""Recorded links: `read_radio_trace(file)` gives rate, delay and loss over time as a `RadioTrace`."""

from __future__ import annotations

from pyagent.traces.radio.read import FORMATS, read_radio_trace
from pyagent.traces.radio.samples import DirectionError
from pyagent.traces.radio.trace import RadioTrace

__all__ = ["FORMATS", "DirectionError", "RadioTrace", "read_radio_trace"]
