"""Readers of mobility traces: ns-2 movements, SUMO FCD, BonnMotion, GPX and CSV."""

from pyagent.traces.mobility.options import Options
from pyagent.traces.mobility.read import FORMATS, read_tracks
from pyagent.traces.mobility.tracks import Track, Tracks

__all__ = ["FORMATS", "Options", "Track", "Tracks", "read_tracks"]
